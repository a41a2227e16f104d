"""Makes the golden files anew, from the weights that are installed: `python tests/golden/make.py`.

Until 1.0 the format and the weights may change, and these files with them (say so in CHANGELOG.md). From 1.0 on a
golden file is only ever added. The photograph is the public-domain portrait that matplotlib carries.
"""

import io
import json
from pathlib import Path

import numpy as np
from matplotlib import cbook
from PIL import Image

import lpcodec
from lpcodec.codec import models

HERE = Path(__file__).parent
CROPS = {"face": (160, 40, 352, 200), "coat": (100, 330, 261, 463)}
"""Left, top, right, bottom in the photograph."""


def crop(name: str) -> Image.Image:
    """One of the golden pictures: pixels alone, without the photograph's metadata."""
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as photograph:
        return Image.fromarray(np.asarray(photograph.convert("RGB").crop(CROPS[name])))


def psnr(a: Image.Image, b: Image.Image) -> float:
    error = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(10 * np.log10(255**2 / np.square(error).mean()))


def main() -> None:
    for old in (*HERE.glob("*.lpc"), *HERE.glob("*.png")):
        old.unlink()
    figures = {}
    for name in CROPS:
        for model in (row["name"] for row in models.describe() if row["task"] == "codec" and row["weights"]):
            targets = {"q25": 25.0, "q60": 60.0} if model == "default" else {"": None}
            for label, quality in targets.items():
                data = lpcodec.encode(crop(name), model=model, quality=quality)
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
                }  # fmt: skip
    (HERE / "golden.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
