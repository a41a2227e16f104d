"""Manga109: a page of each of 109 Japanese comics, as super-resolution is compared on.

Facts: the pages of the set and of its interface (manga109/manga109api). It is given on application only. Evaluations
take one page of each of its 109 volumes, and copies differ in which one: so there is neither a link nor a digest.
"""

from lpcodec.datasets.dataset import DataSet

SETS = (
    DataSet(
        name="manga109",
        title="Manga109",
        count=109,
        split="test",
        licence="for academic use, by agreement; no redistribution",
        home="http://www.manga109.org/en/download.html",
        access="it is given on application, for academic use",
    ),
)
