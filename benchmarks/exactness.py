"""Whether files decode to the same symbols, and to pixels within one level, however the processor is used.

    python benchmarks/exactness.py [--data FOLDER] [--out docs/results/exactness.json]

Encodes a few pictures (one of more than a megapixel, one at half of its size) and those of the folder, and decodes
these files and the golden ones of tests/golden in a fresh process for every combination of threads, torch's and
oneDNN's instruction sets, and others of memory format and precision, on CUDA if there is one. Prints a table. Exits
with 1 if symbols differ or a pixel is more than one level away from the first row's, or two without bfloat16; of
pictures coded at a smaller size, which the decoder enlarges, twice as many. Limiting the processor to an instruction
set that it lacks changes nothing.
"""

import argparse
import contextlib
import datetime
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

THREADS = (1, 2)
ATEN = ("default", "avx2", "avx512")
ONEDNN = ("SSE41", "AVX2", "AVX512_CORE")
QUALITIES = (5, 50, 95)
GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden"


@dataclass(frozen=True)
class Setting:
    """One way to decode."""

    threads: int = 1
    aten: str = ""
    onednn: str = ""
    channels_last: bool = True
    full_precision: bool = False
    fast_math: bool = False
    device: str = "cpu"

    @property
    def levels(self) -> int:
        """How far pixels may be from those of the first row; twice as far if they are enlarged ones."""
        return 2 if self.full_precision or self.fast_math else 1

    def environment(self) -> dict[str, str]:
        limits = {"ATEN_CPU_CAPABILITY": self.aten, "ONEDNN_MAX_CPU_ISA": self.onednn}
        if self.fast_math:
            limits["DNNL_DEFAULT_FPMATH_MODE"] = "ANY"
        return {"OMP_NUM_THREADS": str(self.threads)} | {name: value for name, value in limits.items() if value}


def settings() -> Iterator[Setting]:
    """The matrix, the machine's own choice first."""
    yield Setting()
    yield Setting(channels_last=False)
    yield Setting(full_precision=True)
    yield Setting(full_precision=True, onednn="AVX2")
    yield Setting(fast_math=True)
    import torch

    # torch doesn't check that the processor has the instructions that it is told to use.
    known = ATEN if torch.backends.cpu.get_cpu_capability() == "AVX512" else ATEN[:-1]
    for threads, aten, onednn in itertools.product(THREADS, known, ONEDNN):
        yield Setting(threads, aten, onednn)
    if torch.cuda.is_available():
        yield Setting(device="cuda")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the matrix; see --help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", type=Path, help="a folder of pictures to encode as well, at quality 40")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the rows as JSON as well")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--setting", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.child:
        _child(options.child, Setting(**options.setting))
        return 0
    import torch

    from lpcodec.codec import container

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        _encode(Path(folder), options.model, options.data)
        files = [path.stat().st_size for path in Path(folder).glob("*.lpc")]
        document = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "format": container.VERSION,
            "torch": torch.__version__, "files": len(files), "bytes": sum(files), "rows": rows,
        }  # fmt: skip
        for row in _rows(Path(folder)):
            rows.append(row)
            if options.out:
                options.out.write_text(json.dumps(document, indent=1) + "\n")
    return int(any(row["symbols"] != "same" or not row["kept"] for row in rows))


def _encode(folder: Path, model: str, data: Path | None) -> None:
    from matplotlib.cbook import get_sample_data
    from PIL import Image

    from lpcodec.codec import api
    from lpcodec.codec.errors import UsageError

    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        photo = image.convert("RGB")
    large = photo.resize((1100, 1290), Image.Resampling.BICUBIC)
    files = {f"photo-{quality}": api.encode(photo, model=model, quality=quality) for quality in QUALITIES}
    files["large-60"] = api.encode(large, model=model, quality=60)
    files["grey-40"] = api.encode(photo.convert("L").crop((0, 0, 301, 77)), model=model, quality=40)
    with contextlib.suppress(UsageError):  # a model in layers codes pictures at their own size only
        files["smaller-30"] = api.encode(photo, model=model, quality=30, downscale=2)
    for path in sorted(GOLDEN.glob("*.lpc")):
        files[f"golden-{path.stem}"] = path.read_bytes()
    for path in sorted(data.iterdir()) if data else ():
        files[path.stem] = api.encode(path, model=model, quality=40)
    for name, coded in files.items():
        (folder / f"{name}.lpc").write_bytes(coded)


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    """What decoding by each setting gives, compared with the first; each row is printed as well."""
    from lpcodec.codec import decoding

    how_coded = [decoding.open_file(path.read_bytes()).file.header.downscaled for path in sorted(folder.glob("*.lpc"))]
    print(f"{len(how_coded)} files")
    head = ("device", "threads", "torch", "oneDNN", "channels last", "bfloat16", "fast math", "symbols")
    print(f"| {' | '.join((*head, 'largest difference', 'enlarged ones', 'differ'))} |")
    print("|---|---:|---|---|---|---|---|---|---:|---:|---:|")
    first: tuple[list[str], list[Any]] | None = None
    for setting in settings():
        symbols, pixels = _decoded(folder, setting)
        first = first or (symbols, pixels)
        differences = [np.abs(a.astype(np.int16) - b) for a, b in zip(pixels, first[1], strict=True)]
        own, enlarged = (
            max(
                int(difference.max())
                for difference, how in zip(differences, how_coded, strict=True)
                if bool(how) == kind
            )
            for kind in (False, True)
        )
        row = vars(setting) | {
            "symbols": "same" if symbols == first[0] else "DIFFER",
            "largest": own,
            "largest_enlarged": enlarged,
            "share": sum(int((d > 0).sum()) for d in differences) / sum(d.size for d in differences),
            "kept": own <= setting.levels and enlarged <= 2 * setting.levels,
        }
        print(
            f"| {setting.device} | {setting.threads} | {setting.aten or '-'} | {setting.onednn or '-'} | "
            f"{'yes' if setting.channels_last else 'no'} | {'no' if setting.full_precision else 'yes'} | "
            f"{'yes' if setting.fast_math else 'no'} | {row['symbols']} | {own} | {enlarged} | {row['share']:.4%} |",
            flush=True,
        )
        yield row


def _decoded(folder: Path, setting: Setting) -> tuple[list[str], list[Any]]:
    """The symbols' digests and the pixels of all files, from a process of its own."""
    words = [sys.executable, __file__, "--child", str(folder), "--setting", json.dumps(vars(setting))]
    ran = subprocess.run(words, stdout=subprocess.PIPE, check=True, env=os.environ | setting.environment())
    stream = io.BytesIO(ran.stdout)
    symbols = json.loads(stream.readline())
    return symbols, [np.load(stream) for _ in symbols]


def _child(folder: Path, setting: Setting) -> None:
    import torch

    from lpcodec.codec import api, decoding

    torch.set_num_threads(setting.threads)
    symbols, pictures = [], []
    for path in sorted(folder.glob("*.lpc")):
        data = path.read_bytes()
        opened = decoding.open_file(data)
        codec: Any = decoding.codec_of(opened.file.header, setting.device)
        coders = getattr(codec, "coders", (codec,))
        for coder in coders:
            if not hasattr(coder, "transforms"):  # the paper's networks: one layout, one precision
                continue
            if coder is coders[-1]:  # the coarser layers are always in float32
                # Both, on every processor: bfloat16 where it pays, float32 elsewhere.
                coder.compute_in(torch.float32 if setting.full_precision else torch.bfloat16)
            if not setting.channels_last:
                for network in (coder.network, coder.transforms):
                    network.to(memory_format=torch.contiguous_format)
        symbols.append(codec.hash_of(decoding.parse(opened, codec)).hex())
        pictures.append(np.asarray(api.decode(data, device=setting.device)))
    print(json.dumps(symbols), flush=True)
    for picture in pictures:
        np.save(sys.stdout.buffer, picture)


if __name__ == "__main__":
    sys.exit(main())
