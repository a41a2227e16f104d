"""Makes the golden files again, from the weights that are installed: `python tests/golden/make.py`.

Until 1.0 the format and the weights may change, and these files with them (say so in CHANGELOG.md). From 1.0 on a
golden file is only ever added. Everything is computed in float32, on processors too where bfloat16 is faster. The
photograph is the public-domain portrait that matplotlib carries.
"""

import io
import json
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from matplotlib import cbook
from PIL import Image

import lpcodec
from lpcodec.codec import models
from lpcodec.codec.downscaling import Downscale

HERE = Path(__file__).parent
CROPS = {"face": (160, 40, 352, 200), "coat": (100, 330, 261, 463)}
"""Left, top, right, bottom in the photograph."""
SHEET = "sheet"
"""A drawn page beside a part of the face: a part of it is stored."""


def sheet() -> np.ndarray:
    """A page as a computer draws it, (128, 224, 3): dark blue marks on white, about as dense as text."""
    rows, columns = np.mgrid[:128, :224]
    line = (rows % 16 < 9) & (rows > 15)
    marks = line & ((columns * 7 + rows // 16 * 5) % 11 < 4) & ((rows + columns) % 3 > 0)
    return np.where(marks[..., None], np.uint8([20, 30, 90]), np.uint8(255))


def crop(name: str) -> Image.Image:
    """One of the golden pictures: pixels alone, without the photograph's metadata."""
    if name == SHEET:
        return Image.fromarray(np.concatenate([sheet(), np.asarray(crop("face"))[:128, :96]], 1))
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as photograph:
        return Image.fromarray(np.asarray(photograph.convert("RGB").crop(CROPS[name])))


def psnr(a: Image.Image, b: Image.Image) -> float:
    error = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(10 * np.log10(255**2 / np.square(error).mean()))


@patch.object(torch.cpu, "_is_amx_tile_supported", lambda: False)
@patch.object(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
def main() -> None:
    for old in (*HERE.glob("*.lpc"), *HERE.glob("*.png")):
        old.unlink()
    figures = {}
    for name in (*CROPS, SHEET):
        for model in (row["name"] for row in models.describe() if row["task"] == "codec" and row["weights"]):
            if name == SHEET and model != "default":
                continue
            targets: dict[str, tuple[float | None, Downscale]] = {"": (None, 1)}
            if model == "default":
                targets = {"q25": (25.0, 1), "q60": (60.0, 1)} | ({"half": (25.0, 2)} if name == "face" else {})
            for label, (quality, downscale) in targets.items():
                data = lpcodec.encode(crop(name), model=model, tune="psnr", quality=quality, downscale=downscale)
                decoded = lpcodec.decode(data)
                stem = "-".join(part for part in (name, model, label) if part)
                (HERE / f"{stem}.lpc").write_bytes(data)
                stream = io.BytesIO()
                decoded.save(stream, "PNG", optimize=True)
                (HERE / f"{stem}.png").write_bytes(stream.getvalue())
                info = lpcodec.info(data)
                figures[stem] = {
                    "picture": name, "model": info["model"]["name"], "quality": quality, "bytes": len(data),
                    "psnr": round(psnr(crop(name), decoded), 3), "symbols_hash": info["symbols_hash"],
                } | ({} if downscale == 1 else {"downscale": downscale})  # fmt: skip
    (HERE / "golden.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
