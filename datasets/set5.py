"""Set5: five small pictures that super-resolution is compared on.

Facts: the address as in deepinv/deepinv, deepinv/datasets/set5.py, without a checksum of the archive. The digests are
of the pictures of cszn/IRCNN, testsets/Set5.
"""

from lpcodec.datasets.dataset import DataSet, one_file

DIGESTS = {
    "baby_GT": "ae793a5a365b92ac",
    "bird_GT": "3e70746eea4bc931",
    "butterfly_GT": "fc21d3138b4ac37e",
    "head_GT": "0241d09e606b14bc",
    "woman_GT": "c4327fda42649bac",
}

SETS = (
    DataSet(
        name="set5",
        title="Set5",
        count=5,
        split="test",
        licence="not stated; of old test pictures, used for research",
        home="https://huggingface.co/datasets/eugenesiow/Set5",
        downloads=one_file(
            "https://huggingface.co/datasets/eugenesiow/Set5/resolve/main/data/Set5_HR.tar.gz",
            "deepinv/deepinv",
        ),
        digests=DIGESTS,
    ),
)
