"""Pictures per second of `lpcodec batch`, and what a million pictures would take at that speed.

    python benchmarks/scale.py --data FOLDER --out docs/results/scale.json

The pictures are cut from those in FOLDER, 768 x 512 pixels each, and written as tar shards and as files. Each run is
the command itself in a new process, so start-up is in its time. Numbers of processes are compared on the first
pictures; all are encoded and decoded as files by most processes. Run it on an idle machine: the file notes the load
before.
`python benchmarks/tables.py` then fills the table of docs/scale.md.
"""

import argparse
import datetime
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 768, 512
PER_SHARD = 250


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; see --help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--compared", type=int, default=100, help="pictures of the runs that are compared")
    parser.add_argument("--quality", type=float, default=40.0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engines", nargs="+", default=["local"], choices=["local", "ray"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        few, all_of_them = Path(temporary) / "few", Path(temporary) / "all"
        _make(options.data, options.compared, few)
        _make(options.data, options.pictures, all_of_them)
        rows = [
            _run(engine, workers, layout, options, few)
            for engine in options.engines
            for layout in ("files", "shards")
            for workers in options.workers
        ]
        rows.append(_run(options.engines[0], max(options.workers), "files", options, all_of_them))
        rows.append(_decode(max(options.workers), options, all_of_them))
    document: dict[str, Any] = {
        "machine": platform.platform(), "processors": os.cpu_count(), "load_before": load,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "width": WIDTH, "height": HEIGHT,
        "quality": options.quality, "runs": rows,
    }  # fmt: skip
    print(json.dumps(document, indent=1))
    if options.out:
        options.out.write_text(json.dumps(document, indent=1) + "\n")
    return 0


def _make(data: Path, count: int, place: Path) -> None:
    """`count` pictures as files below place/files and in shards below place/shards."""
    (place / "files").mkdir(parents=True)
    (place / "shards").mkdir()
    shard: tarfile.TarFile | None = None
    for number, picture in enumerate(islice(_pictures(data), count)):
        name = f"{number:06}.png"
        (place / "files" / name).write_bytes(picture)
        if number % PER_SHARD == 0:
            if shard is not None:
                shard.close()
            shard = tarfile.open(place / "shards" / f"s-{number // PER_SHARD:04}.tar", "w")  # noqa: SIM115
        info = tarfile.TarInfo(name)
        info.size = len(picture)
        assert shard is not None
        shard.addfile(info, io.BytesIO(picture))
    if shard is not None:
        shard.close()


def _pictures(data: Path) -> Iterator[bytes]:
    """PNG bytes of pieces of the folder's pictures; from the second round on the pieces are shifted."""
    from PIL import Image

    from lpcodec.codec.picture import load_rgb

    paths = sorted(p for p in data.rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    found = 0
    for turn, path in enumerate(cycle(paths)):
        shift = 16 * (turn // len(paths))
        if shift and turn % len(paths) == 0:
            if not found:
                raise SystemExit(f"{data}: too few pictures larger than {WIDTH}x{HEIGHT} for so many pieces")
            found = 0
        pixels = Image.fromarray(load_rgb(path).pixels)
        for top in range(shift, pixels.height - HEIGHT + 1, HEIGHT):
            for left in range(shift, pixels.width - WIDTH + 1, WIDTH):
                stream = io.BytesIO()
                pixels.crop((left, top, left + WIDTH, top + HEIGHT)).save(stream, "PNG")
                found += 1
                yield stream.getvalue()


def _run(engine: str, workers: int, layout: str, options: argparse.Namespace, place: Path) -> dict[str, Any]:
    to = place / f"{engine}-{layout}-{workers}"
    arguments = ["encode", str(place / layout), "--to", str(to), "-q", f"{options.quality:g}"]
    return {"task": "encode", "layout": layout} | _timed([*arguments, "-j", str(workers), "--engine", engine], to)


def _decode(workers: int, options: argparse.Namespace, place: Path) -> dict[str, Any]:
    to, source = place / "decoded", place / f"{options.engines[0]}-files-{workers}"
    arguments = ["decode", str(source), "--to", str(to), "-j", str(workers), "--engine", options.engines[0]]
    return {"task": "decode", "layout": "files"} | _timed(arguments, to)


def _timed(arguments: list[str], to: Path) -> dict[str, Any]:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lpcodec", "batch", *arguments, "--quiet"], check=True)
    seconds = time.perf_counter() - start
    rows = [json.loads(line) for line in (to / "manifest.jsonl").read_text().splitlines()]
    pictures = [row for row in rows if row["width"]]
    return {
        "engine": arguments[-1], "workers": int(arguments[arguments.index("-j") + 1]), "pictures": len(pictures),
        "seconds": round(seconds, 2), "pictures_per_second": round(len(pictures) / seconds, 3),
        "bytes_in": sum(row["bytes_in"] for row in pictures), "bytes": sum(row["bytes"] for row in pictures),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
