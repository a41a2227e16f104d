"""Fetching: a data set from the network into its folder.

```
DataSet.downloads --download.py--> ROOT/.downloads/NAME/ --unpack.py--> pictures --move--> ROOT/NAME/ + record
```

The same call again continues a fetch that was interrupted. The set's folder changes only when all pictures are
unpacked.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from lpcodec.datasets import record as records
from lpcodec.datasets import verify
from lpcodec.datasets.dataset import DataSet, Download
from lpcodec.datasets.download import DownloadError, download
from lpcodec.datasets.pictures import Progress, Reader, picture_files, read_digests
from lpcodec.datasets.registry import data_root
from lpcodec.datasets.unpack import ArchiveError, is_archive, take_picture, unpack


class FetchError(OSError):
    """A set that can't be fetched; the text says why and how to give a local folder instead."""


@dataclass(frozen=True)
class Fetched:
    """A set that is here now: what its folder holds, and notes for people, a line each."""

    report: verify.Report
    notes: tuple[str, ...]


def fetch(
    dataset: DataSet, read: Reader, root: Path | None = None, progress: Progress | None = None, wait: float = 1.0
) -> Fetched:
    """Bring a set's pictures into `root`/NAME, by default below the data root, unless all of them are there already.

    `progress` is called while files arrive and while pictures are read. `wait` is the first pause in seconds before an
    interrupted download is tried again.

    Raises:
        FetchError: no link is known or none gives the file, a checksum differs, or an archive is broken.
        OSError: the disk is full or can't be written.
    """
    root = root or data_root()
    folder = root / dataset.name
    if picture_files(folder) and (found := verify.verify(folder, dataset, read)) is not None and found.complete:
        return Fetched(found, (f"{dataset.title} is in {folder} already",))
    if not dataset.downloads:
        raise FetchError(f"{dataset.title} has no direct link: {dataset.access}. {_by_hand(dataset, folder)}")
    work = root / ".downloads" / dataset.name
    staging = work / "unpacked"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        files = _download_and_unpack(dataset, work, staging, progress, wait)
    except (DownloadError, ArchiveError) as error:
        raise FetchError(f"{error}. {_by_hand(dataset, folder)}") from error
    return _settle(dataset, files, staging, folder, work, progress, read)


def _download_and_unpack(
    dataset: DataSet, work: Path, staging: Path, progress: Progress | None, wait: float
) -> list[records.FetchedFile]:
    files = []
    for wanted in dataset.downloads:
        path, fetched = _first_that_works(wanted, work, progress, wait)
        files.append(fetched)
        try:
            if is_archive(path):
                unpack(path, staging, wanted.inside)
            else:
                take_picture(path, staging)
        except FileExistsError as error:
            raise ArchiveError(f"two archives of {dataset.title} hold {Path(error.filename).name}") from error
        except ArchiveError:
            path.unlink()  # or the next fetch would take it for the whole file
            raise
    return files


def _first_that_works(
    wanted: Download, work: Path, progress: Progress | None, wait: float
) -> tuple[Path, records.FetchedFile]:
    """The file from the first link that gives it. Raises DownloadError with the errors of all links."""
    errors = []
    for link in wanted.links:
        target = work / PurePosixPath(urlsplit(link.url).path).name
        try:
            sha256 = download(link, target, progress, wait)
        except DownloadError as error:
            errors.append(str(error))
        else:
            return target, records.FetchedFile(link.url, sha256, bool(link.checksum))
    raise DownloadError("; ".join(errors))


def _settle(
    dataset: DataSet,
    files: list[records.FetchedFile],
    staging: Path,
    folder: Path,
    work: Path,
    progress: Progress | None,
    read: Reader,
) -> Fetched:
    """Move the pictures into the set's folder and write the record."""
    pixels = read_digests(picture_files(staging), read, progress)
    folder.mkdir(parents=True, exist_ok=True)
    for name in pixels:
        os.replace(staging / name, folder / name)
    readable = {name: digest for name, digest in pixels.items() if digest is not None}
    records.save(records.Record(dataset.name, tuple(files), readable), folder)
    shutil.rmtree(work)
    before = verify.compare(dataset, folder, pixels)  # without the record: with what was known before the fetch
    return Fetched(verify.compare(dataset, folder, pixels, records.load(folder)), _notes(files, before))


def _notes(files: list[records.FetchedFile], before: verify.Report) -> tuple[str, ...]:
    """Notes on files without a checksum, unless each picture is known by its pixels, and on pictures that differ."""
    notes = [f"{f.url}: no checksum is known; its SHA-256 is {f.sha256}" for f in files if not f.checked]
    if len(before.of("exact")) == len(before.states):
        notes = []
    if other := before.of("changed"):
        count = len(before.states)
        notes.append(f"{len(other)} of {count} pictures have other pixels than the copy known here: {other[0]}, ...")
    return tuple(notes)


def _by_hand(dataset: DataSet, folder: Path) -> str:
    return (
        f"To get it by hand: see {dataset.home}, and put the pictures into {folder}, or give any folder that holds them"
        " instead of the set's name"
    )
