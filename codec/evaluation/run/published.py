"""Points that others printed for a set of pictures: facts with their source, to be drawn beside what is measured.

    published/<set>.json (a small choice, in the package) --curves--> PublishedCurves, drawn dotted
    a file or folder of CompressAI's JSON (--published)  --/

A file holds one curve, or a list of them, in CompressAI's format: {"name", "description", "source", "results":
{"bpp": [], "psnr-rgb": [], "ms-ssim-rgb": []}}. Averages are those of the source: mostly means over pictures of bpp
and PSNR. Curves are for a whole set, so they are given by its name alone.
"""

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from lpcodec.codec.errors import FileAccessError, UsageError, in_short
from lpcodec.codec.evaluation.run.results import PublishedCurve

NONE = "none"


def curves(set_name: str | None, more: str | None = None) -> tuple[PublishedCurve, ...]:
    """The packaged curves of a set, then those of the file or folder `more` (of a folder in it that is named like the
    set, if there is one).

    `more` being "none" leaves all of them out. A curve of `more` replaces a packaged one of its name. Raises
    FileAccessError if `more` can't be read, UsageError if it isn't in the format.
    """
    if more == NONE:
        return ()
    found = {curve.name: curve for curve in _packaged(set_name)}
    for path in _files(Path(more), set_name) if more is not None else ():
        found.update((curve.name, curve) for curve in read(path))
    return tuple(found.values())


def read(path: Path) -> list[PublishedCurve]:
    """The curves of a JSON file. FileAccessError if it can't be read, UsageError if it isn't in the format."""
    try:
        rows = json.loads(path.read_text("utf-8"))
        return [_curve(row, path.stem) for row in (rows if isinstance(rows, list) else [rows])]
    except OSError as error:
        raise FileAccessError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a published curve in CompressAI's format: {in_short(error)}") from error


def _packaged(set_name: str | None) -> list[PublishedCurve]:
    if set_name is None or not set_name.replace("-", "").isalnum():
        return []
    file = resources.files("lpcodec.codec.evaluation.run").joinpath("published", f"{set_name}.json")
    if not file.is_file():
        return []
    return [_curve(row, set_name) for row in json.loads(file.read_text("utf-8"))]


def _files(path: Path, set_name: str | None) -> list[Path]:
    if path.is_dir():
        named = path / (set_name or "")
        found = sorted((named if named.is_dir() else path).glob("*.json"))
        if not found:
            raise FileAccessError(f"{path}: no .json files in it")
        return found
    return [path]


def _curve(row: Mapping[str, Any], stem: str) -> PublishedCurve:
    """One curve, its points in rising order of rate."""
    results = row["results"]
    rates, dbs = (tuple(float(value) for value in results[key]) for key in ("bpp", "psnr-rgb"))
    similar = results.get("ms-ssim-rgb")
    lists = [rates, dbs, *([similar] if similar else [])]
    if not rates or len({len(values) for values in lists}) > 1 or not all(map(math.isfinite, rates + dbs)):
        raise ValueError("bpp, psnr-rgb and ms-ssim-rgb need the same number of finite values")
    order = sorted(range(len(rates)), key=lambda place: rates[place])
    name = str(row.get("name") or stem)
    return PublishedCurve(
        name=name,
        title=str(row.get("description") or name),
        source=str(row.get("source") or f"given as {stem}.json, which names no source"),
        bpp=tuple(rates[i] for i in order),
        psnr=tuple(dbs[i] for i in order),
        ms_ssim=tuple(float(similar[i]) for i in order) if similar else None,
    )
