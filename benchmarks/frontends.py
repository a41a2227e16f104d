"""Time of split + merge of every front-end, compared with PyWavelets and, if it is installed, ptwt.

    python benchmarks/frontends.py --threads 2 --out docs/results/frontends.json

A photo-like float32 picture (the one of large.py) of --megapixels goes through all of them, and one of 12 megapixels
through LPAE in its folded form, whose memory beyond picture and bands is measured too. Each figure is the best of
--repeats, in megapixels a second of wall time: run it alone on the machine. Wavelets go 3 levels deep with symmetric
borders; LPAE, WAE and the Laplacian pyramid 1 level. The networks' weights are random: the arithmetic is the same.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pywt
import torch
from PIL import Image

from lpcodec.codec.families.decomposition.folded import FoldedLaplacianAutoencoder
from lpcodec.codec.families.decomposition.lpae import LaplacianAutoencoder
from lpcodec.codec.families.decomposition.wae import WaveletLikeAutoencoder
from lpcodec.codec.frontends.dwt import DWT
from lpcodec.codec.frontends.interface import FrontEnd
from lpcodec.codec.frontends.pyramid import LaplacianPyramid
from lpcodec.codec.frontends.wavelet import HaarPyramid

sys.path.insert(0, str(Path(__file__).parent))
from large import make_picture

WAVELETS = ("haar", "db2", "bior4.4")
LEVELS = 3
LARGE = 12.0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; see --help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures there, as JSON")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    rows = []
    # First, so that no other has raised the peak memory.
    large = picture(LARGE)
    rows.append(_folded(large, options.repeats))
    small = picture(options.megapixels)
    for name, levels, run in contenders(small):
        rows.append({"name": name, "levels": levels, **_timed(run, small, options.repeats)})
        print(f"{name:40} {rows[-1]['megapixels_per_second']:8.1f} MP/s", file=sys.stderr, flush=True)
    print("| front-end | levels | megapixels | MP/s |\n|---|---:|---:|---:|")
    for row in rows:
        figures = f"{row['megapixels']:.1f} | {row['megapixels_per_second']:.1f}"
        print(f"| {row['name']} | {row['levels']} | {figures} |")
    if options.out:
        document = {"machine": _machine(options.threads), "repeats": options.repeats, "rows": rows}
        options.out.write_text(json.dumps(document, indent=2) + "\n")
    return 0


def picture(megapixels: float) -> torch.Tensor:
    """The picture as float32 (1, 3, H, W) in 0..1."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.ppm"
        make_picture(path, megapixels)
        with Image.open(path) as image:
            pixels = np.array(image)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div_(255).contiguous()


def contenders(x: torch.Tensor) -> Iterator[tuple[str, int, Callable[[], Any]]]:
    """(name, levels, what splits and merges `x`)."""
    planes = x[0].numpy()
    for wavelet in WAVELETS:
        yield (
            f"PyWavelets {wavelet}",
            LEVELS,
            lambda w=wavelet: pywt.waverec2(pywt.wavedec2(planes, w, level=LEVELS), w),
        )
        if (module := _ptwt()) is not None:
            yield (
                f"ptwt {wavelet}", LEVELS,
                lambda w=wavelet, p=module: p.waverec2(p.wavedec2(x, w, mode="symmetric", level=LEVELS), w),
            )  # fmt: skip
        yield f"DWT {wavelet}", LEVELS, _both(DWT(wavelet, LEVELS), x)
    even = x[..., : x.shape[2] // 8 * 8, : x.shape[3] // 8 * 8].contiguous()
    haar = HaarPyramid(LEVELS)
    yield "HaarPyramid", LEVELS, lambda: haar.merge(haar.split(even))
    yield "Laplacian pyramid, Burt & Adelson", 1, _both(LaplacianPyramid(1), x)
    yield "Laplacian pyramid, bior4.4", 1, _both(LaplacianPyramid(1, "bior4.4"), x)
    network = LaplacianAutoencoder().eval()
    yield "LPAE, layer by layer", 1, _both(network, x)
    yield "LPAE, folded", 1, _both(FoldedLaplacianAutoencoder(network), x)
    yield "WAE", 1, _both(WaveletLikeAutoencoder().eval(), x)


def _both(transform: FrontEnd, x: torch.Tensor) -> Callable[[], Any]:
    return lambda: transform.merge(transform.split(x))


def _ptwt() -> Any:
    try:
        import ptwt
    except ImportError:
        return None
    return ptwt


@torch.inference_mode()
def _timed(run: Callable[[], Any], x: torch.Tensor, repeats: int) -> dict[str, float]:
    megapixels = x.shape[2] * x.shape[3] / 1e6
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return {"megapixels": round(megapixels, 2), "megapixels_per_second": round(megapixels / min(seconds), 2)}


def _folded(x: torch.Tensor, repeats: int) -> dict[str, Any]:
    """LPAE folded on the large picture: speed, and the memory beyond picture, bands and reconstruction."""
    transform = FoldedLaplacianAutoencoder(LaplacianAutoencoder().eval())
    transform.merge(transform.split(x[..., :256, :256]))
    before = _resident_mb(forget_peak=True)
    bands = transform.split(x)
    back = transform.merge(bands)
    held = sum(t.numel() * t.element_size() for t in (bands.coarse, *bands.details, back)) / 1e6
    more = None if before is None else round((_resident_mb() or 0) - before - held)
    del bands, back
    row = {"name": "LPAE, folded", "levels": 1, **_timed(_both(transform, x), x, repeats)}
    row["megabytes_beyond_results"] = more
    print(f"LPAE, folded, large: {row}", file=sys.stderr)
    return row


def _resident_mb(forget_peak: bool = False) -> float | None:
    """The largest resident set so far, or the present one after forgetting the peak; None off Linux."""
    try:
        if forget_peak:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(float(line.split()[1]) * 1.024e-3 for line in lines if line.startswith("VmHWM"))


def _machine(threads: int) -> dict[str, Any]:
    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":")[1].strip() if lines else model
    return {"processor": model, "cores": os.cpu_count(), "threads": threads, "torch": torch.__version__}


if __name__ == "__main__":
    sys.exit(main())
