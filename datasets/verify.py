"""A folder compared with what is known of a data set: which pictures are there, missing, changed, or not of the set.

```
folder --read_digests--> digest by file ┐
fetched before: its record              ├--compare--> Report
DataSet: digests, names, count          ┘
```
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from lpcodec.datasets import record as records
from lpcodec.datasets.dataset import DataSet
from lpcodec.datasets.pictures import Progress, Reader, picture_files, read_digests
from lpcodec.datasets.registry import by_names, sets

State = Literal["exact", "fetched", "named", "changed", "unreadable", "extra"]
"""Of a picture:
- exact: its pixels are those known here;
- fetched: its pixels are as they were fetched;
- named: its name is one of the set's, and its pixels aren't known here;
- changed: its pixels differ from those known or fetched;
- unreadable: it isn't a whole picture;
- extra: it isn't of the set.
"""
PRESENT = frozenset({"exact", "fetched", "named"})


@dataclass(frozen=True)
class Report:
    """What a folder holds of a set. `states` is by file name; `missing` are the stems of missing pictures, as far as
    they are known, `missing_unnamed` is the number of the other missing pictures."""

    folder: Path
    dataset: DataSet
    states: Mapping[str, State]
    missing: tuple[str, ...]
    missing_unnamed: int

    def of(self, *states: State) -> list[str]:
        """The names of the files that have one of `states`."""
        return [name for name, state in self.states.items() if state in states]

    @property
    def present(self) -> int:
        """How many pictures of the set are there, unchanged as far as that is known."""
        return sum(state in PRESENT for state in self.states.values())

    @property
    def damaged(self) -> list[str]:
        """The files that are not what they should be."""
        return self.of("changed", "unreadable")

    @property
    def complete(self) -> bool:
        """Whether the whole set is there, unchanged; other pictures don't matter."""
        return self.present > 0 and not self.missing and not self.missing_unnamed and not self.damaged


def verify(folder: Path, dataset: DataSet | None, read: Reader, progress: Progress | None = None) -> Report | None:
    """Compare `folder` with `dataset`, or with the set that most of its pictures are of; None if there is no such set.

    Every picture is decoded; `progress` is called after each. Raises OSError if the folder can't be read.
    """
    paths = picture_files(folder)
    pixels = read_digests(paths, read, progress)
    dataset = dataset or likely(pixels) or by_names(paths)
    return None if dataset is None else compare(dataset, folder, pixels, records.load(folder))


def likely(pixels: Mapping[str, str | None]) -> DataSet | None:
    """The set that has most of the pictures (digests by file name), by their pixels; None if no set has any."""

    def shared(dataset: DataSet) -> int:
        known = set(dataset.digests.values())
        return sum(digest in known for digest in pixels.values())

    best = max(sets(), key=shared)
    return best if shared(best) else None


def compare(
    dataset: DataSet, folder: Path, pixels: Mapping[str, str | None], record: records.Record | None = None
) -> Report:
    """Compare pictures (digest by file name, None for one that can't be read) with the set and the fetch's record."""
    stem_of = {digest: stem for stem, digest in dataset.digests.items()}
    fetched = record.pictures if record is not None and record.dataset == dataset.name else {}
    states: dict[str, State] = {}
    found: set[str] = set()
    for name, digest in pixels.items():
        stem = PurePath(name).stem
        known_as = stem_of.get(digest or "", stem)
        state = _state(dataset, stem, digest, fetched.get(name), bool(fetched))
        if state == "exact" and known_as in found:
            state = "extra"  # the same picture under two names
        states[name] = state
        if state != "extra":
            found.add(known_as if state == "exact" else stem)
    taken = sum(state != "extra" for state in states.values())
    lacking = None if dataset.count is None else max(0, dataset.count - taken)
    missing = sorted({*dataset.stems, *(PurePath(name).stem for name in fetched)} - found)
    if lacking is not None:
        # The stems known here may be those of another copy, with other file names.
        missing = missing if lacking else []
        return Report(folder, dataset, states, tuple(missing[:lacking]), max(0, lacking - len(missing)))
    return Report(folder, dataset, states, tuple(missing), 0)


def _state(dataset: DataSet, stem: str, digest: str | None, fetched: str | None, any_fetched: bool) -> State:
    if digest is None:
        return "unreadable"
    if digest in dataset.digests.values():
        return "exact"
    if fetched is not None:
        return "fetched" if fetched == digest else "changed"
    if stem in dataset.digests:
        return "changed"
    if stem in dataset.stems:
        return "named"
    # If not all pictures of the set are known, one with an unknown name may be of it, until a fetch has listed them.
    whole = any_fetched or (dataset.count is not None and len(dataset.stems) >= dataset.count)
    return "extra" if whole else "named"
