"""Bytes in and out of files, by path or by any URL that fsspec knows (s3://, gs://, http://, memory://, ...).

A local file is written under a temporary name, brought to the disk and renamed, so it is whole or not there. Object
stores have that property by themselves.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from lpcodec.codec.errors import FileAccessError

PARTIAL = ".lpcodec-partial-"
_LONGEST_STEM = 200


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path in it. FileAccessError if its package is missing."""
    import fsspec.core  # type: ignore[import-untyped]

    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise FileAccessError(f"{url}: {' '.join(str(error).split())}") from error
    return system, str(path)


def is_local(url: str) -> bool:
    """Whether a path or URL is a file of this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> Path:
    """The path of a local path or file:// URL."""
    return Path(url.removeprefix("file://"))


def join(folder: str, name: str) -> str:
    """The path or URL of `name` (with / between folders) in a folder."""
    return f"{folder.rstrip('/')}/{name}" if not is_local(folder) else str(local_path(folder) / name)


def open_read(url: str) -> Any:
    """A binary stream that can seek. OSError if it can't be opened."""
    if is_local(url):
        return open(local_path(url), "rb")
    system, path = file_system(url)
    return system.open(path, "rb")


def read(url: str) -> bytes:
    """The bytes of a file. OSError if it can't be read."""
    with open_read(url) as stream:
        data: bytes = stream.read()
    return data


def write(url: str, data: bytes) -> None:
    """Write a whole file, with the folders that it needs. OSError if it can't be written."""
    if not is_local(url):
        system, path = file_system(url)
        system.pipe_file(path, data)
        return
    partial = partial_name(url)
    try:
        with open(partial, "xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, local_path(url))
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def partial_name(url: str) -> Path:
    """A temporary path beside a local file, in its folder, which is made."""
    final = local_path(url)
    final.parent.mkdir(parents=True, exist_ok=True)
    return final.with_name(f".{final.name[:_LONGEST_STEM]}{PARTIAL}{secrets.token_hex(8)}")
