"""What is known of a data set: its facts, its links and, if known, the digests of its pixels.

DataSet -- needs all of --> Downloads -- each behind any of --> Links
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True)
class Link:
    """An address, and the public page or file that states it: links are quoted, none is promised to work.

    `checksum` is of the file behind the link, "sha256:..." or another name of hashlib; "" if none was published.
    `tried`: the link was opened by us and gave the file that its source describes.
    """

    url: str
    source: str
    checksum: str = ""
    tried: bool = False


@dataclass(frozen=True)
class Download:
    """A file to fetch, an archive or a picture, from the first of `links` that delivers it.

    Of an archive only pictures are taken, and only those whose path contains `inside`.
    """

    links: tuple[Link, ...]
    inside: str = ""


@dataclass(frozen=True)
class DataSet:
    """A data set, named as in `--data NAME`.

    `count` is the number of its pictures, None if no public source states it. `digests` maps the stem of a
    picture's file to the digest of its size and pixels (pictures.py), for the pictures whose pixels are known here.
    `names` are the stems of all its pictures if those are known from elsewhere. `access` says how a person gets a set
    that has no direct link. `note` is what a reader of a report has to know.
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
        """The stems of its pictures' files, as far as they are known here."""
        return frozenset(self.names) | frozenset(self.digests)

    @property
    def link(self) -> str:
        """The state of its links: "none", "not tried" if any file has no link that was tried, else "tried"."""
        if not self.downloads:
            return "none"
        return "tried" if all(any(link.tried for link in d.links) for d in self.downloads) else "not tried"

    @property
    def evaluates(self) -> bool:
        """Whether codecs are compared on it, so that nothing may be trained on it."""
        return self.split != "train"
