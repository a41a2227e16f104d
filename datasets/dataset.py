"""What is known of a data set: its facts, its links and, if known, the digests of its pixels.

A DataSet needs all of its Downloads; each of these is behind any of its Links.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class Link:
    """An address, and the public page or file that states it (`source`): links are quoted, none is promised to work.

    `checksum` is that of the file behind the link: "sha256:..." or another name of hashlib; "" if none was published.
    `tried`: we opened the link, and it gave the file that its source describes.
    """

    url: str
    source: str
    checksum: str = ""
    tried: bool = False


@dataclass(frozen=True)
class Download:
    """A file to fetch, an archive or a picture, from the first of `links` that delivers it.

    Of an archive only pictures are taken, and only those with `inside` in their path.
    """

    links: tuple[Link, ...]
    inside: str = ""


def one_file(url: str, source: str, checksum: str = "") -> tuple[Download, ...]:
    """The downloads of a set that is one file behind one link; arguments as those of `Link`."""
    return (Download((Link(url, source, checksum),)),)


@dataclass(frozen=True)
class DataSet:
    """A data set, named as in `--data NAME`.

    Attributes:
        count: the number of its pictures; None if no public source states it.
        home: the address of its page.
        digests: the stem of a picture's file -> the digest of its size and pixels (pictures.py), for the pictures with
            pixels that are known here.
        names: the stems of all its pictures, if they are known from elsewhere.
        access: how a person gets a set that has no direct link.
        note: for the readers of a report.
    """

    name: str
    title: str
    count: int | None
    split: Split
    licence: str
    home: str
    downloads: tuple[Download, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    access: str = ""
    note: str = ""

    @property
    def stems(self) -> frozenset[str]:
        """The stems of its pictures' files that are known here."""
        return frozenset(self.names) | frozenset(self.digests)

    @property
    def link(self) -> str:
        """The state of its links: "none"; "tried" if every file has a link that was tried; else "not tried"."""
        if not self.downloads:
            return "none"
        return "tried" if all(any(link.tried for link in d.links) for d in self.downloads) else "not tried"

    @property
    def evaluates(self) -> bool:
        """Whether codecs are compared on it. Then nothing may be trained on it."""
        return self.split != "train"
