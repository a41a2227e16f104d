"""`lpcodec train`: train a model on a folder of pictures."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lpcodec.cli import progress
from lpcodec.cli.failures import say
from lpcodec.cli.options import Device, Threads, check_device, duration, examples
from lpcodec.codec.errors import UsageError

EXAMPLES = examples(
    "lpcodec train default --data photos --out runs/default --time-limit 8h",
    "lpcodec train default --data photos --out runs/default --time-limit 2h --resume",
    "lpcodec train default --data photos --out runs/finer --from default --learning-rate 3e-4 --time-limit 2h",
    "lpcodec train wcae --data photos --out runs/wcae --steps 20000 --set lmbda=0.01 --device cuda",
)


def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model to train; see lpcodec models.")],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="A folder of pictures; its subfolders count too.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder of the run: checkpoints and log.")],
    steps: Annotated[int | None, typer.Option("--steps", min=1, metavar="N", help="Train N steps in all.")] = None,
    time_limit: Annotated[
        float | None,
        typer.Option("--time-limit", parser=duration, metavar="S", help="Train for this long: 90, 15m, 8h."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the run's last checkpoint.")] = False,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="RUN|MODEL", help="Start from the weights of a run or of a model."),
    ] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, metavar="N", help="Patches per step.")] = None,
    patch: Annotated[
        int | None, typer.Option("--patch", min=1, metavar="N", help="Side of a patch in pixels; see docs/training.md.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="An option of this model; docs/training.md lists them."),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", metavar="R", help="Peak rate.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Seed of the random weights and patches.")
    ] = None,
    threads: Threads = None,
    device: Device = "cpu",
) -> None:
    """Train a model. A run can be stopped and resumed later. Options that aren't given have the model's defaults."""
    if steps is not None and time_limit is not None:
        raise UsageError("give --steps or --time-limit, not both")
    from lpcodec.codec.training import loop

    check_device(device)
    choices: dict[str, Any] = {
        "batch": batch,
        "patch": patch,
        "seed": seed,
        "learning_rate": learning_rate,
        "source": source,
        "threads": threads,
    }
    if resume and source is not None:
        raise UsageError("--from starts a new run, --resume continues one: give one of them")
    given = {name: value for name, value in choices.items() if value is not None}
    with progress.over_run("training", quiet=False) as show:
        loop.train(
            model=model,
            data=data,
            out=out,
            steps=steps,
            time_limit=time_limit,
            resume=resume,
            device=device,
            options=dict(_pair(option) for option in options or ()),
            progress=show,
            note=lambda text: say(f"lpcodec: note: {text}"),
            **given,
        )
    say(f"the run is in {out}; lpcodec export {out} --name {model} --data {data} --out DIR makes weights of it")


def _pair(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not equals:
        raise UsageError(f"--set {option}: give NAME=VALUE")
    return name, value
