"""What coding at smaller sizes gains: `python benchmarks/downscale.py kodak --out docs/results/downscale.json`.

Every picture at every rate, at its own size and as `--downscale auto` chooses: real files, PSNR of RGB and MS-SSIM.
"""

import argparse
import json
import warnings
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

import lpcodec
from lpcodec.codec.errors import PictureWarning, TargetError
from lpcodec.codec.evaluation.metrics import distortion
from lpcodec.codec.picture import read_rgb
from lpcodec.datasets.pictures import picture_files
from lpcodec.datasets.registry import locate

RATES = (0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15)


def measured(pixels: "np.ndarray[Any, Any]", bpp: float, downscale: Any) -> dict[str, float] | None:
    """Rate, scale and distortion of one file; None if the rate can't be reached."""
    try:
        result = lpcodec.encode_report(pixels, bpp=bpp, downscale=downscale)
    except TargetError:
        return None
    decoded = np.asarray(lpcodec.decode(result.data).convert("RGB"))
    return {
        "bpp": result.bpp, "downscale": result.downscale, "psnr": distortion.psnr(pixels, decoded),
        "ms_ssim": distortion.ms_ssim(pixels, decoded),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", help="a set or a folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="every Nth picture")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    given = parser.parse_args()
    warnings.simplefilter("ignore", PictureWarning)
    points: list[dict[str, Any]] = []
    for path in picture_files(locate(given.data, read_rgb).folder)[:: given.every]:
        pixels = read_rgb(path)
        for bpp in given.rates:
            own, auto = (measured(pixels, bpp, downscale) for downscale in (1, "auto"))
            points.append({"picture": path.stem, "target_bpp": bpp, "own": own, "auto": auto})
            print(json.dumps(points[-1]), flush=True)
    rows = []
    for bpp in given.rates:
        there = [p for p in points if p["target_bpp"] == bpp and p["own"] and p["auto"]]
        row: dict[str, Any] = {"target_bpp": bpp, "pictures": len(there)}
        if there:
            row |= {
                "smaller": sum(p["auto"]["downscale"] > 1 for p in there),
                **{
                    f"{kind}_{m}": fmean(p[kind][m] for p in there)
                    for kind in ("own", "auto")
                    for m in ("psnr", "ms_ssim")
                },
            }
        reached = [p for p in points if p["target_bpp"] == bpp and p["auto"] and not p["own"]]
        rows.append(row | {"reached_by_auto_alone": len(reached)})
    given.out.write_text(json.dumps({"data": Path(given.data).name, "rows": rows, "points": points}, indent=1) + "\n")


if __name__ == "__main__":
    main()
