"""The plan of a run: what it is asked to do. The checkpoints of the run hold it, and so does the card of its weights.

A plan is a JSON-ready dict:
- `model`, `from` (the name of the weights to start from, or None) with their history `origin` (source.py), `batch`,
  `patch`, `seed`, `learning_rate`, and the family's own options that were given: a resumed run keeps these;
- `steps` and `time_limit` (seconds), one of them None: a resumed run keeps these unless it is given a new end;
- `device`, `processes` and `data` (what the card says of the pictures): set at every start.

The plan is made in three steps: `new_plan` or `resumed_plan`, then `device` and `processes`, then `fill_in` and `data`,
which need the objective that is made from the plan so far.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lpcodec.codec import models
from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import Objective
from lpcodec.codec.limits import MOST_THREADS
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.source import origin

DEFAULT_STEPS = 20_000
"""The end of a new run that is given neither steps nor a time limit."""
_ALLOWED = {
    "steps": (1, 10**12),
    "time_limit": (0.001, 10**9),
    "batch": (1, 2**16),
    "patch": (1, 2**16),
    "seed": (0, 2**63 - 1),
    "learning_rate": (1e-12, 1000),
    "threads": (1, MOST_THREADS),
}
"""The least and the most of each number that a training may be given. Beyond them torch fails, or a run never ends."""


def check_numbers(given: Mapping[str, Any]) -> None:
    """Raise UsageError if one of the numbers in _ALLOWED is given and is NaN or out of its range."""
    for name, (least, most) in _ALLOWED.items():
        value = given.get(name)
        if value is not None and not least <= value <= most:
            raise UsageError(f"{_words(name)} {value}: give one from {least:,} to {most:,}")


def new_plan(
    model: str, end: Mapping[str, Any], asked: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """The plan of a new run.

    Args:
        end: `steps` and `time_limit`, at most one of them not None.
        asked: `from`, `batch`, `patch`, `seed`, `learning_rate`; None for what wasn't asked for.
        options: the family's own, as `parsed_options` gives them.

    Raises:
        UsageError: the weights to start from aren't there.
    """
    plan = {"model": model, **end, **asked, "seed": asked["seed"] or 0, **options}
    if plan["steps"] is None and plan["time_limit"] is None:
        plan["steps"] = DEFAULT_STEPS
    if plan["from"] is not None:
        plan["origin"] = origin(plan["from"])
    return plan


def resumed_plan(
    found: Checkpoint, out: Path, model: str, end: Mapping[str, Any], asked: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """The plan of the run in `out`, with a new end if one is given; arguments as those of `new_plan`.

    Raises:
        UsageError: the run is of another model, or was started with another value than one that is asked for.
    """
    if found.plan["model"] != model:
        raise UsageError(f"{out} holds a run of {found.plan['model']}, not of {model}")
    for name, value in {**asked, **options}.items():
        had = found.plan.get(name)
        if value is not None and value != had:
            words = _words(name)
            how = f"without {words}" if had is None else f"with {words} {had}"
            raise UsageError(
                f"{out}: the run was started {how}, and continues so; for {value}, start a new run from its weights"
            )
    has_end = any(value is not None for value in end.values())
    return {**found.plan, **(end if has_end else {})}


def fill_in(plan: dict[str, Any], objective: Objective[Any]) -> None:
    """Set `patch`, `batch` and `learning_rate` of a plan to the model's choice where they weren't asked for.

    Raises:
        UsageError: the model, with the plan's options, can't be trained on patches of the side that was asked for.
    """
    for name in ("patch", "batch", "learning_rate"):
        if plan[name] is None:
            plan[name] = getattr(objective, name)
    sides, patch = objective.sides, plan["patch"]
    if patch not in sides:
        which = f"multiples of {sides.step}" + (f" from {sides.smallest} on" if sides.least > sides.step else "")
        near = " or ".join(map(str, sides.nearest(patch)))
        raise UsageError(f"can't train {plan['model']} on patches of {patch} pixels: sides are {which}; give {near}")


def parsed_options(model: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The values of a family's own options, from text.

    Raises:
        UsageError: the family has no such option, or the text isn't a value of it.
    """
    known = models.family_of(models.network_named(model)).options
    values = {}
    for name, text in given.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"{model} has no training option {name!r}: {has}")
        try:
            values[name] = known[name].parse(text)
        except ValueError as error:
            raise UsageError(f"training option {name} of {model}: {text!r}: {error}") from error
    return values


def _words(name: str) -> str:
    return name.replace("_", " ")


def part_done(plan: Mapping[str, Any], step: int, seconds: float) -> float:
    """How much of the plan is done after `step` steps and `seconds` in all: 0 at the start, 1 or more at the end."""
    steps, limit = plan["steps"], plan["time_limit"]
    return max(step / steps if steps else 0.0, seconds / limit if limit else 0.0)
