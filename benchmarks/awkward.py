"""Pictures that trained codecs tend to lose on: a flat half, or one strong colour. Ours beside JPEG 2000 and AVIF.

    python benchmarks/awkward.py KODAK --out docs/results/awkward.json

Three photographs are changed in four ways and coded at two qualities; the others get the same bytes. All are compared
by PSNR of RGB, and ours has the weights for PSNR. Then `python benchmarks/tables.py` writes the table of
docs/results.md.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import lpcodec
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.evaluation.codecs import pillow
from lpcodec.codec.evaluation.codecs.rate_search import encode_to_bpp
from lpcodec.codec.evaluation.metrics import distortion
from lpcodec.codec.picture import read_rgb

PICTURES = ("kodim05", "kodim15", "kodim23")
QUALITIES = (25, 50)
PEERS = ("jpeg2000", "avif")
GREEN = (30, 90, 60)
RED, BLUE = (1.0, 0.15, 0.1), (0.1, 0.25, 1.0)


def changed(pixels: Pixels) -> Iterator[tuple[str, Pixels]]:
    """The pictures that are made of one photograph."""
    height, width, _ = pixels.shape
    white, flat = pixels.copy(), pixels.copy()
    white[:, : width // 2] = 255
    flat[: height // 2] = GREEN
    yield "white half", white
    yield "flat green half", flat
    yield "all red", np.rint(pixels * RED).astype(np.uint8)
    yield "all blue", np.rint(pixels * BLUE).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="the Kodak photographs")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    peers = pillow.available()
    rows = []
    for path in sorted(options.folder.iterdir()):
        if path.stem not in PICTURES:
            continue
        for what, pixels in changed(read_rgb(path)):
            for quality in QUALITIES:
                coded = lpcodec.encode_report(pixels, quality=quality, tune="psnr")
                decoded = np.asarray(lpcodec.decode(coded.data).convert("RGB"))
                psnr = {"lpcodec": distortion.psnr(pixels, decoded)}
                for name in PEERS:
                    file = encode_to_bpp(peers[name], pixels, coded.bpp).data
                    psnr[name] = distortion.psnr(pixels, peers[name].decode(file))
                rows.append({"picture": path.stem, "change": what, "quality": quality, "bpp": coded.bpp, "psnr": psnr})
                print(json.dumps(rows[-1]), flush=True)
    options.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
