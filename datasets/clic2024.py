"""CLIC 2024: validation and test pictures of its image track.

Facts: addresses as in a public download script (the organisers' own page was not available); 32 test pictures as a
public benchmark counted them. No checksums and no count for validation were found.
"""

from lpcodec.datasets.dataset import DataSet, one_file

_HOME = "https://clic2024.compression.cc/tasks"
_BUCKET = "https://storage.googleapis.com/clic2023_public"
_SOURCE = "a public download script"

SETS = (
    DataSet(
        name="clic2024-valid",
        title="CLIC 2024, validation",
        count=None,
        split="valid",
        licence="see the organisers' page",
        home=_HOME,
        downloads=one_file(f"{_BUCKET}/validation_sets/clic2024_validation_image.zip", _SOURCE),
    ),
    DataSet(
        name="clic2024-test",
        title="CLIC 2024, test",
        count=32,
        split="test",
        licence="see the organisers' page",
        home=_HOME,
        downloads=one_file(f"{_BUCKET}/test_sets/clic2024_test_image.zip", _SOURCE),
    ),
)
