"""Urban100: a hundred pictures of buildings that super-resolution is compared on.

Facts: the address and the names as in deepinv/deepinv, deepinv/datasets/urban100.py, without a checksum of the archive.
"""

from lpcodec.datasets.dataset import DataSet, one_file

SETS = (
    DataSet(
        name="urban100",
        title="Urban100",
        count=100,
        split="test",
        licence="not stated with the archive; see the page",
        home="https://github.com/jbhuang0604/SelfExSR",
        downloads=one_file(
            "https://huggingface.co/datasets/eugenesiow/Urban100/resolve/main/data/Urban100_HR.tar.gz",
            "deepinv/deepinv",
        ),
        names=tuple(f"img_{number:03}" for number in range(1, 101)),
    ),
)
