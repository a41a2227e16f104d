"""A training run -> weights that the codec loads: `NAME.safetensors`, and beside it the card `NAME.json`.

The averaged weights are taken, the scale network is frozen to its integers and its bounds are proved, the tables are
built. The card says what the weights are: digest, sizes, data, steps, device, held-out figures, cost.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lpcodec.codec.errors import UsageError
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder
from lpcodec.codec.families.hyperprior.calibration import calibrate
from lpcodec.codec.families.hyperprior.codec import HyperpriorCodec
from lpcodec.codec.families.hyperprior.hyperlatents import CLASSES, HyperTables
from lpcodec.codec.families.hyperprior.network import ANCHORS, HyperpriorNetwork
from lpcodec.codec.families.lpcae.codec import LpcaeCodec
from lpcodec.codec.families.lpcae.network import LpcaeNetwork
from lpcodec.codec.families.wcae.codec import WcaeCodec
from lpcodec.codec.families.wcae.network import WaveletAutoencoder
from lpcodec.codec.models import network_named
from lpcodec.codec.training.checkpoint import NAME as CHECKPOINT
from lpcodec.codec.training.checkpoint import Checkpoint
from lpcodec.codec.training.objectives import objective_for
from lpcodec.entropy.tables import default_scales, default_tables, gaussian_tables

SKIP_SCALE = 0.14
"""Latents of a smaller scale are not coded: 0.04 % of them would not have been zero."""


def export(run: Path, name: str, out: Path, *, data: Path | None = None, order: int = 0, note: str = "") -> Path:
    """Export the averaged weights of the run in folder `run` under `name` to folder `out`; return the weights' path.

    Args:
        name: the model's name, for one of several sets with its rate: `wcae@0.15`.
        data: the training pictures; the default model's tables are then fitted to what they really hold.
        note: what people should know of the weights: the data's sources and licences, say; goes into the card.
        order: the place among the sets of weights of the same network; the first is what the plain name means.

    Raises:
        UsageError: no run there, or a name that belongs to another network.
    """
    if not (run / CHECKPOINT).exists():
        raise UsageError(f"{run}: no {CHECKPOINT}; give the folder that lpcodec train wrote")
    state = Checkpoint.load(run)
    if network_named(name).name != state.plan["model"]:
        raise UsageError(f"{run} trained {state.plan['model']}; {name!r} is a name of another network")
    network = objective_for(state.plan, "cpu").network
    network.load_state_dict(state.averaged)
    network.eval()
    about: dict[str, Any] = {"kmac_per_pixel": kmac_per_pixel(network)}
    if isinstance(network, HyperpriorNetwork):
        about["sizes"] = vars(network.sizes)
        codec = _hyperprior_codec(network)
        if data is not None:
            about["calibration"] = calibrate(codec, data)
        tensors = codec.to_tensors()
    elif isinstance(network, LpcaeNetwork):
        about["sizes"] = {"levels": [vars(own.sizes) for own in network.networks]}
        coders = [_hyperprior_codec(own) for own in network.networks]
        pyramid = LpcaeCodec(coders, network.prediction, name="", number=0, digest=bytes(4))
        if data is not None:
            about["calibration"] = calibrate(pyramid, data)
        tensors = pyramid.to_tensors()
    elif isinstance(network, LaplacianAutoencoder | WaveletLikeAutoencoder):
        # Full precision: half would be seen at the 50 dB that these reach, and they are small.
        tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
    else:
        assert isinstance(network, WaveletAutoencoder)
        if network.prior is not None:
            network.prior.export()
        tensors = WcaeCodec(network, name=name, number=0, digest=bytes(4)).to_tensors()
    stored = save(tensors, {"format": "lpcodec-weights-1", "network": state.plan["model"]})
    card = {
        "name": name, "order": order, "digest": hashlib.sha256(stored).hexdigest(), **about,
        "training": _training(state, run), "note": note,
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    _write(out / f"{name}.safetensors", stored)
    _write(out / f"{name}.json", (json.dumps(card, indent=2) + "\n").encode())
    return out / f"{name}.safetensors"


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def _hyperprior_codec(network: HyperpriorNetwork) -> HyperpriorCodec:
    """Freeze the network's scale part and join it with the Gaussian tables that it was trained with."""
    quality = torch.div(torch.arange(ANCHORS) * 65536, ANCHORS, rounding_mode="floor")
    z_indexes = network.hyper_scale_indexes(quality).detach().int().tolist()
    network.scales.freeze()
    scales = [[default_scales()[index] for index in row] for row in z_indexes]
    weights = np.zeros((ANCHORS, network.sizes.hyper_latents), np.int8)
    z_tables = HyperTables(tuple(gaussian_tables(row * CLASSES) for row in scales), weights)
    skip_below = sum(scale < SKIP_SCALE * 65536 for scale in default_scales())
    return HyperpriorCodec(network, default_tables(), z_tables, skip_below, name="", number=0, digest=bytes(4))


def _training(state: Checkpoint, run: Path) -> dict[str, Any]:
    plan = {k: v for k, v in state.plan.items() if v is not None}
    held: dict[str, float] = {}
    for line in (run / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        held = {k: v for k, v in entry.items() if k.startswith("held_")} or held
    return {
        **plan, "steps": state.step, "seconds": round(state.seconds), "device": state.plan.get("device", "cpu"),
        **held,
    }  # fmt: skip


@torch.no_grad()
def kmac_per_pixel(network: nn.Module) -> dict[str, float]:
    """Count thousands of multiply-accumulates a pixel, by part, on a 512 x 512 picture (torch's flop counter)."""
    side = 512
    picture = torch.rand(1, 3, side, side)

    def count(run: Callable[[], object]) -> float:
        return round(_macs(run) / side**2 / 1000, 3)

    if isinstance(network, HyperpriorNetwork):
        return _hyperprior_kmac(network, side)
    if isinstance(network, LpcaeNetwork):
        return _lpcae_kmac(network, side)
    if isinstance(network, LaplacianAutoencoder | WaveletLikeAutoencoder):
        bands = network.split(picture)
        return {"analysis": count(lambda: network.split(picture)), "synthesis": count(lambda: network.merge(bands))}
    assert isinstance(network, WaveletAutoencoder)
    code = network.analysis(picture * 2 - 1)
    return {
        "analysis": count(lambda: network.analysis(picture * 2 - 1)),
        "synthesis": count(lambda: network.synthesis(code)),
    }


def _macs(run: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 2


def _hyperprior_kmac(network: HyperpriorNetwork, side: int) -> dict[str, float]:
    picture, level = torch.rand(1, 3, side, side), torch.tensor([32])
    y = network.analyse(picture)
    hw = (y.shape[2], y.shape[3])
    z, averages = network.hyper_analysis(y).round(), y[:, : network.sizes.averages]
    coarser = torch.zeros(1, network.sizes.coarser_latents, -(-hw[0] // 2), -(-hw[1] // 2))
    known = coarser if network.sizes.coarser_latents else None

    def entropy_side() -> None:
        features = network.scales.features(z, level, *hw, known)
        network.scales.first_indexes(features)
        for step in range(1, 1 + len(network.scales.average_steps)):
            network.scales.average_indexes(step, features, averages.round())
        network.scales.second_indexes(features, y.round())
        features = network.means.features(z, level, *hw, known)
        network.means.first_means(features)
        for step in range(1, 1 + len(network.means.average_steps)):
            network.means.average_means(step, features, averages, averages, averages)
        network.means.second_means(features, y)

    parts: dict[str, Callable[[], object]] = {
        "analysis": lambda: network.analyse(picture),
        "hyper_analysis": lambda: network.hyper_analysis(y),
        "entropy": entropy_side,
        "synthesis": lambda: network.synthesise(y, torch.tensor([32768])),
    }
    return {name: round(_macs(run) / side**2 / 1000, 3) for name, run in parts.items()}


def _lpcae_kmac(network: LpcaeNetwork, side: int) -> dict[str, float]:
    """The sum over the levels, a pixel of the whole picture; the prediction counts as synthesis."""
    total: dict[str, float] = {}
    for level, own in enumerate(reversed(network.networks)):
        for name, kmac in _hyperprior_kmac(own, side).items():
            total[name] = total.get(name, 0.0) + kmac / 4**level
        if level:
            coarse = torch.rand(1, 3, side, side)
            total["synthesis"] += _macs(lambda x=coarse: network.prediction(x)) / side**2 / 1000 / 4**level  # type: ignore[misc]
    return {name: round(kmac, 3) for name, kmac in total.items()}
