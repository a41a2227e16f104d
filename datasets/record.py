"""The record of what was fetched into a set's folder; it is kept beside the pictures, so that a change is noticed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

NAME = ".lpcodec-fetched.json"


@dataclass(frozen=True)
class FetchedFile:
    """A downloaded file: where it came from, its SHA-256, and whether a published checksum confirmed it."""

    url: str
    sha256: str
    checked: bool


@dataclass(frozen=True)
class Record:
    """The files that were downloaded for a set, and the digest of each picture by file name."""

    dataset: str
    files: tuple[FetchedFile, ...] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)


def save(record: Record, folder: Path) -> None:
    """Write the record into `folder`; an older one stays until the new one is whole. Raises OSError."""
    temporary = folder / f"{NAME}.part"
    try:
        temporary.write_text(json.dumps(asdict(record), indent=1) + "\n", "utf-8")
        temporary.replace(folder / NAME)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(folder: Path) -> Record | None:
    """The record of `folder`; None if nothing was fetched into it, or the record can't be understood."""
    try:
        row = json.loads((folder / NAME).read_text("utf-8"))
        files = tuple(FetchedFile(**file) for file in row["files"])
        return Record(row["dataset"], files, {str(name): str(digest) for name, digest in row["pictures"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
