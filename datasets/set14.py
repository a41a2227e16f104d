"""Set14: fourteen small pictures that super-resolution is compared on, one of them grey.

Facts: the address as in deepinv/deepinv, deepinv/datasets/set14.py, without a checksum of the archive. The digests
are of the pictures of cszn/IRCNN, testsets/Set14; the grey one is taken as RGB.
"""

from lpcodec.datasets.dataset import DataSet, one_file

DIGESTS = {
    "baboon": "d9893f0fd7841773",
    "barbara": "ad60bfa9481060e0",
    "bridge": "f16a506286fda77e",
    "coastguard": "548e5e42a8f865ca",
    "comic": "92498fea556d3c46",
    "face": "4e7d455043f7815e",
    "flowers": "94c3f3dfd8165180",
    "foreman": "1c2ec76a36abdd45",
    "lenna": "96e34308ef3ccb1c",
    "man": "5269b00c34951b6e",
    "monarch": "4a7b9dc3aa9f3ec1",
    "pepper": "811986891addd496",
    "ppt3": "962e2ce53f18bbaf",
    "zebra": "ac7238fe387073fb",
}

SETS = (
    DataSet(
        name="set14",
        title="Set14",
        count=14,
        split="test",
        licence="not stated; of old test pictures, used for research",
        home="https://huggingface.co/datasets/eugenesiow/Set14",
        downloads=one_file(
            "https://huggingface.co/datasets/eugenesiow/Set14/resolve/main/data/Set14_HR.tar.gz",
            "deepinv/deepinv",
        ),
        digests=DIGESTS,
    ),
)
