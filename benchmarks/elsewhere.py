"""Whether files decode alike with another torch, another numpy or on another processor than those that made them.

    python benchmarks/elsewhere.py record FOLDER     here: what decoding the golden files, and a large one, gives
    python benchmarks/elsewhere.py replay FOLDER     there: the same with what is installed there, compared

What could differ is which table a symbol is decoded with: the networks' part. So `replay` gives the decoder the
recorded symbols, compares the tables' indexes that it asks with, and then the pixels. It needs neither the range coder
(constriction) nor anything that encodes, so it runs where only torch, numpy, Pillow and safetensors are installed.
For aarch64 on another machine: `qemu-aarch64 -cpu cortex-a76 -L ROOT python3 ...`, with Debian's arm64 Python in ROOT
and PyPI's aarch64 wheels on PYTHONPATH; qemu's default processor ends in an illegal instruction. Files can be taken out
of FOLDER to make it shorter. It prints a row of a table, and exits with 1 if an index differs or a pixel is more than
two levels away.
"""

import argparse
import hashlib
import importlib.util
import json
import platform
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from PIL import Image

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"
LEVELS = 2
"""Pixels may be this far apart: some processors have bfloat16, others have not."""


def _key(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def record(folder: Path) -> None:
    """Write files, their symbols and indexes by stream, and their pixels to `folder`."""
    import torch
    from matplotlib.cbook import get_sample_data

    import lpcodec
    from lpcodec.entropy.coder import Decoder

    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        large = image.convert("RGB").resize((1100, 1290), Image.Resampling.BICUBIC)
    files = {path.stem: path.read_bytes() for path in sorted(GOLDEN.glob("*.lpc"))}
    files["large"] = lpcodec.encode(large, quality=50)
    arrays: dict[str, np.ndarray] = {}
    begin, get = Decoder.__init__, Decoder.get

    def watched_begin(self: Any, data: bytes) -> None:
        begin(self, data)
        self.key, self.calls = _key(data), 0

    def watched_get(self: Any, indexes: np.ndarray, tables: Any) -> np.ndarray:
        symbols = get(self, indexes, tables)
        arrays[f"{self.key}-{self.calls}-indexes"], arrays[f"{self.key}-{self.calls}-symbols"] = indexes, symbols
        self.calls += 1
        return symbols

    Decoder.__init__, Decoder.get = watched_begin, watched_get  # type: ignore[method-assign]
    for name, data in files.items():
        (folder / f"{name}.lpc").write_bytes(data)
        Image.fromarray(np.asarray(lpcodec.decode(data))).save(folder / f"{name}.png")
    np.savez_compressed(folder / "streams.npz", **arrays)
    made = {"torch": torch.__version__, "numpy": np.__version__, "machine": platform.machine()}
    (folder / "made.json").write_text(json.dumps(made) + "\n")
    print(
        f"{len(files)} files, {sum(len(data) for data in files.values())} bytes, {len(arrays) // 2} arrays of symbols"
    )


def replay(folder: Path) -> int:
    """Decode the files of `folder` with the recorded symbols; 1 if anything differs by more than it may."""
    if importlib.util.find_spec("constriction") is None:
        sys.modules["constriction"] = MagicMock(spec=ModuleType)
        sys.modules["constriction"].stream = MagicMock()  # type: ignore[attr-defined]
    import torch

    import lpcodec
    from lpcodec.entropy.coder import Decoder

    recorded = np.load(folder / "streams.npz")
    differing: list[str] = []

    def begin(self: Any, data: bytes) -> None:
        self.key, self.calls = _key(data), 0

    def get(self: Any, indexes: np.ndarray, tables: Any) -> np.ndarray:
        name = f"{self.key}-{self.calls}"
        self.calls += 1
        if not np.array_equal(recorded[f"{name}-indexes"], indexes):
            differing.append(name)
        symbols: np.ndarray = recorded[f"{name}-symbols"]
        return symbols

    Decoder.__init__, Decoder.get = begin, get  # type: ignore[method-assign]
    Decoder.finish = lambda self: None  # type: ignore[method-assign]
    largest, unequal, values = 0, 0, 0
    paths = sorted(folder.glob("*.lpc"))
    for path in paths:
        with Image.open(path.with_suffix(".png")) as image:
            expected = np.asarray(image).astype(np.int16)
        difference = np.abs(expected - np.asarray(lpcodec.decode(path.read_bytes())))
        largest = max(largest, int(difference.max()))
        unequal, values = unequal + int((difference > 0).sum()), values + difference.size
        print(f"{path.name}: {difference.max()}", file=sys.stderr, flush=True)
    indexes = f"{len(differing)} DIFFER" if differing else "same"
    print(
        f"| {platform.machine()} | {torch.__version__} | {np.__version__} | {len(paths)} | {indexes} | {largest} | "
        f"{unequal / values:.4%} |"
    )
    return int(bool(differing) or largest > LEVELS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "replay"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.what == "record":
        record(options.folder)
        return 0
    return replay(options.folder)


if __name__ == "__main__":
    sys.exit(main())
