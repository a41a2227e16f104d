"""CLIC 2022: validation and test pictures of its image track, the longer side 2048 pixels.

Facts: addresses and 30 for validation as in clic-challenge/archive, docs/2022/tasks/index.html; the test archive is
called image_test_30 there, and papers count 30 too. No checksums were found.
"""

from lpcodec.datasets.dataset import DataSet, one_file

_HOME = "https://clic.compression.cc/2022/tasks/index.html"
_BUCKET = "https://storage.googleapis.com/clic2022_public"

SETS = (
    DataSet(
        name="clic2022-valid",
        title="CLIC 2022, validation",
        count=30,
        split="valid",
        licence="Unsplash licence",
        home=_HOME,
        downloads=one_file(f"{_BUCKET}/validation_sets/images.zip", "clic-challenge/archive"),
        note="the archive held 300 pictures until March 2022",
    ),
    DataSet(
        name="clic2022-test",
        title="CLIC 2022, test",
        count=30,
        split="test",
        licence="Unsplash licence",
        home=_HOME,
        downloads=one_file(f"{_BUCKET}/test_sets/image_test_30.zip", "clic-challenge/archive"),
    ),
)
