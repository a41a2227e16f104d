"""The data sets that are known by name, and where their pictures are.

```
name    --named--> DataSet --locate--> a folder below the data root
folder  --locate--> the folder itself, and the DataSet that its pictures are of, if they are recognised
```

The data root is the folder in the environment variable LPCODEC_DATA, else one in the user's cache folder.
"""

import difflib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lpcodec.datasets import (
    bsd100,
    clic2019,
    clic2020,
    clic2021,
    clic2022,
    clic2024,
    clic2025,
    div2k,
    kodak,
    manga109,
    set5,
    set14,
    tecnick,
    urban100,
)
from lpcodec.datasets.dataset import DataSet, Download, Link
from lpcodec.datasets.pictures import Reader, picture_files, read_digest, read_digests

__all__ = [
    "DataSet", "Download", "Link", "Located", "SetMissingError", "UnknownSetError", "by_names", "data_root", "find",
    "locate", "named", "recognise", "sets",
]  # fmt: skip

ROOT_VARIABLE = "LPCODEC_DATA"
MOST_NEAR = 8


class UnknownSetError(ValueError):
    """No data set of that name; the text lists near names."""


class SetMissingError(ValueError):
    """The pictures of a set aren't here; the text says what to type."""


@dataclass(frozen=True)
class Located:
    """A folder of pictures, and the data set that they are of; None if that isn't known."""

    folder: Path
    dataset: DataSet | None


@cache
def sets() -> tuple[DataSet, ...]:
    """All data sets that are known here."""
    return (
        *kodak.SETS, *tecnick.SETS, *clic2019.SETS, *clic2020.SETS, *clic2021.SETS, *clic2022.SETS, *clic2024.SETS,
        *clic2025.SETS, *div2k.SETS, *set5.SETS, *set14.SETS, *bsd100.SETS, *urban100.SETS, *manga109.SETS,
    )  # fmt: skip


def named(name: str) -> DataSet:
    """The data set called `name`. Raises UnknownSetError."""
    by_name = {dataset.name: dataset for dataset in sets()}
    if name in by_name:
        return by_name[name]
    raise UnknownSetError(_unknown(name))


def _unknown(name: str) -> str:
    near = _near(name.lower(), [dataset.name for dataset in sets()])
    hint = f"near are {', '.join(near)}" if near else "lpcodec datasets list shows them all"
    return f"no data set is called {name!r}: {hint}"


def _near(wanted: str, known: list[str]) -> list[str]:
    """The names with parts that begin as those of `wanted` do (clic2020-pro), and those that are spelt similarly."""
    pieces = [piece for piece in wanted.replace("_", "-").split("-") if piece]
    begun = [name for name in known if pieces and all(any(p.startswith(q) for p in name.split("-")) for q in pieces)]
    similar = difflib.get_close_matches(wanted, known, n=4, cutoff=0.6)
    return list(dict.fromkeys(begun + similar))[:MOST_NEAR]


def data_root() -> Path:
    """The folder of all fetched sets: one folder per set, with the set's name."""
    if given := os.environ.get(ROOT_VARIABLE):
        return Path(given).expanduser()
    import pooch  # type: ignore[import-untyped, unused-ignore]

    return Path(pooch.os_cache("lpcodec")) / "datasets"


def locate(name_or_folder: str, read: Reader) -> Located:
    """The folder that `name_or_folder` means, and the set that its pictures are of: `find`, then `recognise`.

    Raises:
        SetMissingError: the set isn't here, the folder has no pictures, or there is neither.
        OSError: the folder can't be read.
    """
    located = find(name_or_folder)
    return located if located.dataset is not None else Located(located.folder, recognise(located.folder, read))


def find(name_or_folder: str, root: Path | None = None) -> Located:
    """The folder that `name_or_folder` means: that of a set, by its name; or a folder itself, with None for the set.

    A set's name means the set below `root` (the data root) if it is there, even if the current folder has a folder of
    that name; ./NAME means that one. Raises as `locate`.
    """
    known = {dataset.name: dataset for dataset in sets()}
    folder = Path(name_or_folder).expanduser()
    if (dataset := known.get(name_or_folder)) is not None:
        fetched = (root or data_root()) / dataset.name
        if picture_files(fetched):
            return Located(fetched, dataset)
    if picture_files(folder):
        return Located(folder, None)
    if dataset is not None:
        raise SetMissingError(
            f"{dataset.title} isn't here: lpcodec datasets fetch {dataset.name} brings it to {fetched}; or give a"
            " folder that holds its pictures"
        )
    if folder.is_dir():
        raise SetMissingError(f"{name_or_folder}: no pictures are in this folder")
    raise SetMissingError(f"no folder {name_or_folder}, and {_unknown(name_or_folder)}")


def recognise(folder: Path, read: Reader) -> DataSet | None:
    """The set that all pictures of `folder` are of; the folder may hold a part of the set. None if there is no such
    set.

    Pixels decide if they are known here: a first picture decides whether the others are decoded at all. Names decide
    only if they are exactly those of a whole set.
    """
    paths = picture_files(folder)
    if not paths:
        return None
    with_digests = [dataset for dataset in sets() if dataset.digests]
    stems = frozenset().union(*(dataset.digests for dataset in with_digests))
    probe = read_digest(next((path for path in paths if path.stem in stems), paths[0]), read)
    candidates = [dataset for dataset in with_digests if probe in dataset.digests.values()]
    if candidates:
        digests = list(read_digests(paths, read).values())
        return next((dataset for dataset in candidates if _made_of(dataset, digests)), None)
    return by_names(paths)


def by_names(paths: list[Path]) -> DataSet | None:
    """The set with exactly the names of these files; None if there is none."""
    stems = frozenset(path.stem for path in paths)
    return next((dataset for dataset in sets() if dataset.names and stems == dataset.stems), None)


def _made_of(dataset: DataSet, digests: list[str | None]) -> bool:
    """Whether pictures are those of the set: each is known, or they are as many as the set has, with all known ones."""
    known = set(dataset.digests.values())
    if all(digest in known for digest in digests):
        return True
    return len(digests) == dataset.count and len(known) < len(digests) and known <= set(digests)
