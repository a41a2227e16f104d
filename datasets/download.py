"""One file from one link: resumed where it stopped, checked, and under its name only when it is whole.

```
link --HTTP, ranges--> NAME.part, NAME.part.json --pooch: checksum--> NAME
```

pooch checks the file and puts it in place; its own downloaders start from nothing each time, so ours is given to it. A
half-downloaded file is gone on with only if the server says that it is still the same (ETag or Last-Modified), or if a
checksum would tell.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lpcodec.datasets.dataset import Link

ATTEMPTS = 4
"""So many in a row that bring nothing new, then it is given up."""
SECONDS_OF_SILENCE = 30
CHUNK = 1 << 14
"""Bytes; of a connection that breaks less than so many are lost."""
FINAL = {401: "asks for a login", 403: "refuses", 404: "has nothing there (any more)", 410: "has it no more"}

Tell = Callable[[int, int | None], None]
"""(bytes that are here, bytes in all if known)."""


class DownloadError(OSError):
    """A link that doesn't give its file; the text says why, in words."""


class _Interrupted(Exception):
    """The connection ended early: worth another attempt."""


def download(link: Link, target: Path, tell: Tell | None = None, wait: float = 1.0) -> str:
    """Fetch `link` to `target`, unless it is there already; return the file's SHA-256 in hexadecimal digits.

    What was downloaded of it before is kept. A connection that breaks is tried again after `wait` seconds, or more
    the longer nothing comes.

    Raises:
        DownloadError: dead, moved, out of reach, or another file than the checksum says, which isn't kept.
        OSError: the file can't be written.
    """
    import pooch  # type: ignore[import-untyped, unused-ignore]

    pooch.get_logger().setLevel(logging.ERROR)
    downloader = _Resuming(link, target.with_name(f"{target.name}.part"), tell or (lambda here, total: None), wait)
    try:
        pooch.retrieve(
            url=link.url, known_hash=link.checksum or None, fname=target.name, path=target.parent, downloader=downloader
        )
    except ValueError as error:
        raise DownloadError(
            f"{link.url} gives another file than {link.source} describes (its checksum differs); it wasn't kept"
        ) from error
    with open(target, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class _Resuming:
    """A downloader for pooch: called with the address and the file to fill."""

    link: Link
    part: Path
    tell: Tell
    wait: float

    def __call__(self, url: str, output_file: str, _pooch: Any, check_only: bool = False) -> None:
        in_vain = 0
        while in_vain < ATTEMPTS:
            before = self._here()
            try:
                self._go_on()
                break
            except _Interrupted as error:
                in_vain = 0 if self._here() > before else in_vain + 1
                if in_vain == ATTEMPTS:
                    raise DownloadError(f"{url}: {error}; what is here is kept, the same command goes on") from error
                time.sleep(self.wait * 2**in_vain)
        os.replace(self.part, output_file)
        self._about.unlink(missing_ok=True)

    @property
    def _about(self) -> Path:
        return self.part.with_name(f"{self.part.name}.json")

    def _here(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self) -> None:
        """Append to the part what is missing of it. Raises _Interrupted, DownloadError, OSError."""
        import requests  # type: ignore[import-untyped, unused-ignore]

        here, headers = self._resumable()
        try:
            with requests.get(self.link.url, headers=headers, stream=True, timeout=SECONDS_OF_SILENCE) as answer:
                self._take(answer, here)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise _Interrupted(f"can't reach the server, or the connection broke ({type(error).__name__})") from error
        except requests.RequestException as error:
            raise DownloadError(f"{self.link.url}: {error}") from error

    def _resumable(self) -> tuple[int, dict[str, str]]:
        """How many bytes of the part can be kept, and the headers that ask for the rest."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "lpcodec"}
        here = self._here()
        validator = self._validator()
        if not here or validator is None or not (validator or self.link.checksum):
            return 0, headers
        headers["Range"] = f"bytes={here}-"
        if validator:
            headers["If-Range"] = validator
        return here, headers

    def _validator(self) -> str | None:
        """What the server called this version of the file, "" for nothing; None if the part is of another link."""
        try:
            about = json.loads(self._about.read_text("utf-8"))
            return str(about["validator"]) if about["url"] == self.link.url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _take(self, answer: Any, here: int) -> None:
        """Write what the server answers. `here` bytes were asked to be left out."""
        content = answer.headers.get("Content-Range", "")
        if answer.status_code == 416 and content == f"bytes */{here}":
            return  # nothing was left to send
        if answer.status_code == 416 or (answer.status_code == 206 and not content.startswith(f"bytes {here}-")):
            self.part.unlink(missing_ok=True)  # it is longer than the file, or the server counts otherwise
            raise _Interrupted("the server couldn't go on where the download stopped")
        if answer.status_code in FINAL:
            raise DownloadError(f"{self.link.url}: the server {FINAL[answer.status_code]} ({answer.status_code})")
        if answer.status_code >= 400:
            raise _Interrupted(f"the server answers {answer.status_code} {answer.reason}")
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            raise DownloadError(f"{self.link.url}: a web page answers in place of the file; the link has moved")
        if answer.status_code != 206:
            here = 0  # the whole file comes, because ranges aren't offered or the file is another one now
        length = answer.headers.get("Content-Length", "")
        total = here + int(length) if length.isdigit() else None
        self._write(answer, here, total)

    def _write(self, answer: Any, here: int, total: int | None) -> None:
        # A weak ETag ("W/...") doesn't promise the same bytes.
        etag = answer.headers.get("ETag", "")
        validator = answer.headers.get("Last-Modified", "") if not etag or etag.startswith("W/") else etag
        self._about.write_text(json.dumps({"url": self.link.url, "validator": validator}), "utf-8")
        with open(self.part, "ab" if here else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                here += len(chunk)
                self.tell(here, total)
        if total is not None and here < total:
            raise _Interrupted(f"the connection ended after {here:,} of {total:,} bytes")
