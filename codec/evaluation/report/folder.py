"""The report's folder: all files of one report, made from its results.

    Results, Shown --write--> index.html                     (page.py)
                              report.html, on request        (page.py: the page with its pictures in it)
                              curves-*.png, curves-*.svg     (plots.py)
                              results.json                   (results.py, with the figures of summary.py)
                              points.csv, tables.md,
                              compressai/CODEC.json          (tables.py)

The pictures that the page shows are there already (pictures.py).
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from lpcodec.codec.atomic import write_whole
from lpcodec.codec.evaluation.report.filenames import file_name
from lpcodec.codec.evaluation.report.page import page, page_alone
from lpcodec.codec.evaluation.report.pictures import Shown
from lpcodec.codec.evaluation.report.plots import draw
from lpcodec.codec.evaluation.report.summary import derived
from lpcodec.codec.evaluation.report.tables import compressai, markdown, points_csv
from lpcodec.codec.evaluation.run.results import Results, save
from lpcodec.codec.storage import make_folder


def write(results: Results, out: Path, pictures: Sequence[Shown], *, single_file: bool = False) -> list[Path]:
    """Writes the report into `out`, made if it isn't there, and returns its files, the page first.

    With `single_file` a second page, report.html, has the pictures in it. Files of an earlier report are written over.
    Raises FileAccessError if something can't be written.
    """
    make_folder(out)
    texts = {"index.html": page(results, pictures), "points.csv": points_csv(results), "tables.md": markdown(results)}
    if single_file:
        texts["report.html"] = page_alone(results, pictures, out)
    curves = out / "compressai"
    make_folder(curves)
    for codec in results.codecs:
        if results.of(codec.name):
            text = json.dumps(compressai(results, codec), indent=1, allow_nan=False) + "\n"
            texts[f"compressai/{file_name(codec.name)}.json"] = text
    for name, text in texts.items():
        write_whole(out / name, partial(_put, text=text))
    save(results, out / "results.json", derived(results))
    return [*(out / name for name in texts), out / "results.json", *draw(results, out)]


def _put(stream: BinaryIO, text: str) -> None:
    stream.write(text.encode("utf-8"))
