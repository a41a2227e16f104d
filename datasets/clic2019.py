"""CLIC 2019: the "professional" and the "mobile" pictures together, as its low-rate track used them.

Facts: addresses as in clic-challenge/archive, docs/2019/challenge/index.html, without checksums. 102 and 330 are the
counts that papers of that year give for validation and test; for training none was found in a source.
"""

from lpcodec.datasets.dataset import DataSet, Download, Link

_HOME = "https://clic.compression.cc/2019/challenge/"
_LICENCE = "see the organisers' page"


def _downloads(*files: str) -> tuple[Download, ...]:
    return tuple(
        Download((Link(f"https://data.vision.ee.ethz.ch/cvl/clic/{file}", "clic-challenge/archive"),)) for file in files
    )


SETS = (
    DataSet(
        name="clic2019-train",
        title="CLIC 2019, training",
        count=None,
        split="train",
        licence=_LICENCE,
        home=_HOME,
        downloads=_downloads("professional_train.zip", "mobile_train.zip"),
    ),
    DataSet(
        name="clic2019-valid",
        title="CLIC 2019, validation",
        count=102,
        split="valid",
        licence=_LICENCE,
        home=_HOME,
        downloads=_downloads("professional_valid.zip", "mobile_valid.zip"),
    ),
    DataSet(
        name="clic2019-test",
        title="CLIC 2019, test",
        count=330,
        split="test",
        licence=_LICENCE,
        home=_HOME,
        downloads=_downloads("test/CLIC2019Professional_test.zip", "test/CLIC2019Mobile_test.zip"),
    ),
)
