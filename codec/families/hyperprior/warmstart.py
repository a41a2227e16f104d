"""Starting a training from weights that are there already: an earlier run's, or those that are installed.

```
run or installed weights --weights_of--> float32 state --start_from--> network   [widened where it has more latents]
```

A network may have more than the weights:
- more residual pairs: it starts as the same function;
- more latents: the new ones are the principal components of what the old ones can't represent. At first only the
  shortcuts use them, and their scales are predicted like those of the old network's last latents. They may be
  linear-only latents, which fewer layers know;
- early latents, or more anchors: see `_with_early_latents` and `_with_anchors`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.family import Source
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.network import MIDDLE, HyperpriorNetwork
from lpcodec.codec.families.hyperprior.sizes import HyperpriorSizes
from lpcodec.codec.families.hyperprior.steps import CHECKERBOARD, EARLY, LAST, LATE, grid_context, inputs_of, outputs_of
from lpcodec.codec.families.hyperprior.stored import current_names
from lpcodec.codec.frontends.folds import FOLDS
from lpcodec.entropy.integer import ACTIVATION_BITS, WEIGHT_BITS

_TWO_STEPS = f"contexts.{CHECKERBOARD}"
LATENTS_OUT = ("analysis.tail", "analysis.shortcut", "scales.head", f"scales.{_TWO_STEPS}.head")
LATENTS_OUT_MAIN = ("means.head", f"means.{_TWO_STEPS}.head")
"""Layers with one output per latent; `_MAIN`: with none for linear-only latents."""
LATENTS_IN = ("synthesis.shortcut",)
LATENTS_IN_MAIN = (
    "synthesis.head", "hyper_analysis.layers.0", f"scales.{_TWO_STEPS}.neighbours", f"means.{_TWO_STEPS}.neighbours",
)  # fmt: skip
"""Layers with one input per latent; `_MAIN`: with none for linear-only latents."""
COPIED = ("scales.head", f"scales.{_TWO_STEPS}.head")
"""Where a new latent starts as a copy of an old one's row; elsewhere at zero."""
GAINS = ("log_gain", "log_inverse_gain")
NEW_LATENTS_LOWER = 1.5
"""Gains and scales of new latents are smaller than those of the last old ones by a factor of exp(this): the network
predicts most of them already, so at first they should cost bits at the highest qualities only."""


def weights_of(source: Source) -> dict[str, Tensor]:
    """Return the weights of a source as float32 parameters that can be trained.

    Raises:
        UsageError: it isn't a hyperprior network.
    """
    state = None if source.state is None else current_names(source.state)
    if source.tensors is not None and "network.log_gain" in source.tensors:
        state = thawed(HyperpriorCodec.from_tensors(source.tensors, source.card["sizes"]).network)
    if state is None or "log_gain" not in state:
        raise UsageError(f"can't start from {source.name}: only the hyperprior networks start from earlier weights")
    return state


def sizes_of(state: dict[str, Tensor]) -> HyperpriorSizes:
    """The sizes of the hyperprior network that has this state."""

    def rows(name: str) -> int:
        return len(state[f"{name}.weight"])

    def pairs(transform: str) -> int:
        return sum(name.startswith(f"{transform}.blocks.") and name.endswith("first.weight") for name in state)

    latents = rows("analysis.tail")
    two_steps = f"scales.{_TWO_STEPS}.mixed.weight" in state
    last = f"scales.contexts.{CHECKERBOARD if two_steps else LAST}"
    early = 0 if two_steps else rows(f"scales.contexts.{EARLY}.head")
    main = state["synthesis.head.weight"].shape[1]
    return HyperpriorSizes(
        width=rows("analysis.head"), latents=latents, analysis_pairs=pairs("analysis"),
        synthesis_pairs=pairs("synthesis"), hyper_width=rows("hyper_analysis.layers.0"),
        hyper_latents=rows("hyper_analysis.layers.4"), context_width=rows(f"{last}.mixed"),
        linear_latents=latents - main, early_latents=early, anchors=len(state["log_gain"]),
        dc_latents=len(state.get(f"scales.contexts.{grid_context(1)}.head.weight", ())),
        coarser_latents=state["scales.coarser.weight"].shape[1] if "scales.coarser.weight" in state else 0,
    )  # fmt: skip


def thawed(network: HyperpriorNetwork) -> dict[str, Tensor]:
    """The state of an installed network, with the scale network's integers as the reals in natural units that are
    trained."""
    unit = {"weight": 2.0**-WEIGHT_BITS, "bias": 2.0 ** -(WEIGHT_BITS + ACTIVATION_BITS)}
    return {
        name: (value.double() * unit[name.rsplit(".", 1)[1]] if name.startswith("scales.") else value).float()
        for name, value in network.state_dict().items()
    }


@torch.no_grad()
def start_from(network: HyperpriorNetwork, state: dict[str, Tensor], pictures: Tensor) -> None:
    """Load `state` into `network`, which may have more than the weights (see above).

    Latents that `state` lacks get their start from `pictures` (B, 3, H, W) in 0..1. Contexts of the interlaced grid
    that it lacks start as in any new network.

    Raises:
        UsageError: the sizes differ in another way. If the weights have linear-only latents already, all new latents
            must be linear-only.
    """
    old, new = sizes_of(state), network.sizes
    if new.latents > old.latents and (old.linear_latents == 0 or old.main == new.main):
        state = _widened(state, new, pictures)
    if new.early_latents and not old.early_latents:
        state = _with_early_latents(state, new)
    if new.anchors > old.anchors:
        state = _with_anchors(state, new.anchors)
    state = {**_without_effect(network.state_dict()), **state}
    own = {name: value.shape for name, value in network.state_dict().items()}
    if own != {name: value.shape for name, value in state.items()}:
        raise UsageError(
            "can't start from weights of another size: only latents, steps, qualities and residual pairs can be added"
        )
    network.load_state_dict(state)


def _without_effect(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A new network's state with residual pairs that add nothing."""
    return {k: torch.zeros_like(v) if ".blocks." in k and ".second." in k else v for k, v in state.items()}


def _widened(state: dict[str, Tensor], sizes: HyperpriorSizes, pictures: Tensor) -> dict[str, Tensor]:
    """The state of a network with fewer latents, with rows and columns for the new ones."""
    state = dict(state)
    old = sizes_of(state)
    more, more_main = sizes.latents - old.latents, sizes.main - old.main
    components = _missing_components(
        state["synthesis.shortcut.weight"][:, :, 0, 0], FOLDS[sizes.frontend].split(pictures - MIDDLE), more
    )
    for layer in (*LATENTS_OUT, *LATENTS_OUT_MAIN):
        for name in (f"{layer}.weight", f"{layer}.bias"):
            rows = state[name][len(state[name]) - (more if layer in LATENTS_OUT else more_main) :]
            if layer in COPIED:
                rows = rows - NEW_LATENTS_LOWER if name.endswith("bias") else rows
            else:
                rows = torch.zeros_like(rows)
            state[name] = torch.cat([state[name], rows])
    for layer in (*LATENTS_IN, *LATENTS_IN_MAIN):
        weight = state[f"{layer}.weight"]
        columns = weight.new_zeros(len(weight), more if layer in LATENTS_IN else more_main, *weight.shape[2:])
        state[f"{layer}.weight"] = torch.cat([weight, columns], 1)
    for name, sign in zip(GAINS, (1, -1), strict=True):
        state[name] = torch.cat([state[name], state[name][:, -more:] - sign * NEW_LATENTS_LOWER], 1)
    state["analysis.shortcut.weight"][-more:] = components.reshape(more, -1, 2, 2)
    state["synthesis.shortcut.weight"][:, -more:] = components.T[:, :, None, None]
    return state


def _with_early_latents(state: dict[str, Tensor], sizes: HyperpriorSizes) -> dict[str, Tensor]:
    """The state of a network that decodes its latents in two steps, as one with early latents. Its one context is
    copied to EARLY and LAST, as far as they have the same inputs. LATE starts with its neighbours but changes nothing
    of what z says."""
    found = {name: value for name, value in state.items() if f".{_TWO_STEPS}." not in name}
    for network, last_row in (("scales", sizes.latents), ("means", sizes.main)):
        old = {
            n.partition(f"{_TWO_STEPS}.")[2]: v for n, v in state.items() if n.startswith(f"{network}.{_TWO_STEPS}.")
        }
        for context in (EARLY, LATE, LAST):
            first, stop = outputs_of(context, sizes)
            new = {name: value.clone() for name, value in old.items()}
            new["neighbours.weight"] = old["neighbours.weight"][:, : inputs_of(context, sizes)].clone()
            if context != EARLY:  # now all early latents are known, not half of them
                new["neighbours.weight"][:, : sizes.early_latents] /= 2
            for part in ("head.weight", "head.bias"):
                rows = old[part][first : min(stop, last_row)].clone()
                if context == LATE and network == "scales":
                    of_z = state[f"scales.{part}"][first:stop]
                    rows = torch.cat([of_z, torch.zeros_like(of_z)], 1) if part == "head.weight" else of_z.clone()
                new[part] = torch.zeros_like(rows) if context == LATE and network == "means" else rows
            found |= {f"{network}.contexts.{context}.{name}": value for name, value in new.items()}
    return found


def _with_anchors(state: dict[str, Tensor], anchors: int) -> dict[str, Tensor]:
    """The state of a network with fewer anchors, with rows for the new ones: gains rise as before, strengths and scales
    of z stay those of the last anchor."""
    state = dict(state)
    more = anchors - len(state["log_gain"])
    for name in GAINS:
        slope = (state[name][-1] - state[name][-3]) / 2
        state[name] = torch.cat([state[name], state[name][-1] + slope * torch.arange(1, more + 1)[:, None]])
    for name in ("log_strength", "z_index"):
        state[name] = torch.cat([state[name], state[name][-1:].expand(more, -1)])
    return state


def _missing_components(kept: Tensor, maps: Tensor, count: int) -> Tensor:
    """The first `count` principal components (count, 4 * C) of what is left of the front-end's maps (B, C, h, w), in
    blocks of 2 x 2 places, without what the columns of `kept` (4 * C, M) span."""
    blocks = F.pixel_unshuffle(maps, 2).permute(0, 2, 3, 1).reshape(-1, 4 * maps.shape[1]).double()
    basis = torch.linalg.qr(kept.double())[0]
    rest = blocks - blocks @ basis @ basis.T
    values, vectors = torch.linalg.eigh(rest.T @ rest / len(rest))
    strongest: Tensor = vectors[:, values.argsort(descending=True)[:count]]
    return strongest.T.float()
