"""One file from one link: checked, and under its own name only once it is whole.

```
link --HTTP--> NAME.part --pooch: checksum--> NAME
```

pooch checks the file and puts it in place. Its own downloader starts from the beginning each time, which wastes
gigabytes if a connection breaks. So it is given this one, which continues NAME.part if the link has a checksum: that
would reveal a file that has changed meanwhile. Without a checksum a download starts again.
"""

import hashlib
import logging
import os
import time
from pathlib import Path
from typing import Any

from lpcodec.datasets.dataset import Link
from lpcodec.datasets.pictures import Progress

ATTEMPTS = 4
"""A download fails after this many attempts in a row that bring nothing new."""
SECONDS_OF_SILENCE = 30
CHUNK = 1 << 14
"""Bytes. A connection that breaks loses fewer than this."""


class DownloadError(OSError):
    """A link that doesn't give its file; the text says why in one line."""


def download(link: Link, target: Path, progress: Progress | None = None, wait: float = 1.0) -> str:
    """Fetch `link` to `target`, unless it is there already; return the file's SHA-256 in hexadecimal digits.

    If a connection breaks, it is tried again after `wait` seconds; the wait doubles with every attempt that brings
    nothing new.

    Raises:
        DownloadError: the link is dead or out of reach, or gives another file than its checksum says (not kept).
        OSError: the file can't be written.
    """
    import pooch  # type: ignore[import-untyped, unused-ignore]

    pooch.get_logger().setLevel(logging.ERROR)
    part = target.with_name(f"{target.name}.part")

    def fill(url: str, output_file: str, _pooch: Any, check_only: bool = False) -> None:
        _download_to(part, link, progress, wait)
        os.replace(part, output_file)

    try:
        pooch.retrieve(
            url=link.url, known_hash=link.checksum or None, fname=target.name, path=target.parent, downloader=fill
        )
    except ValueError as error:
        raise DownloadError(
            f"{link.url} gives another file than {link.source} describes (its checksum differs); it wasn't kept"
        ) from error
    with open(target, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download_to(part: Path, link: Link, progress: Progress | None, wait: float) -> None:
    """Fill `part`, in several attempts if connections break. Raises DownloadError."""
    import requests  # type: ignore[import-untyped, unused-ignore]

    failures = 0
    while True:
        before = _size(part)
        try:
            _continue(part, link, progress)
            return
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            failures = 0 if _size(part) > before else failures + 1
            if failures == ATTEMPTS:
                kept = "; what is here is kept, the same command continues" if link.checksum and _size(part) else ""
                raise DownloadError(f"{link.url}: no connection ({type(error).__name__}){kept}") from error
        except requests.RequestException as error:
            raise DownloadError(f"{link.url}: {error}") from error
        time.sleep(wait * 2**failures)


def _continue(part: Path, link: Link, progress: Progress | None) -> None:
    """One request for what is missing of `part`."""
    import requests

    here = _size(part) if link.checksum else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "lpcodec"} | ({"Range": f"bytes={here}-"} if here else {})
    with requests.get(link.url, headers=headers, stream=True, timeout=SECONDS_OF_SILENCE) as answer:
        if answer.status_code == 416:  # nothing is missing, or the part is longer than the file: the checksum decides
            return
        if answer.status_code in (500, 502, 503, 504):
            raise requests.ConnectionError(f"the server answers {answer.status_code}")
        answer.raise_for_status()
        if answer.status_code != 206:
            here = 0  # the server doesn't offer ranges and sends the whole file
        length = answer.headers.get("Content-Length", "")
        total = here + int(length) if length.isdigit() else None
        with open(part, "ab" if here else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                here += len(chunk)
                if progress is not None:
                    of = f" of {total / 1e6:,.1f}" if total else ""
                    progress(f"{part.stem}: {here / 1e6:,.1f}{of} MB", here / total if total else 0.0)
        if total is not None and here < total:
            raise requests.ConnectionError(f"it ended after {here:,} of {total:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
