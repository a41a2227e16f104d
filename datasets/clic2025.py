"""CLIC 2025: validation and (final) test pictures of its image track, the longer side about 2048 pixels.

Facts: addresses, counts and licence as in imazen/codec-corpus, clic2025/README.md; the SHA-256 of both archives as in
EdgeFirstAI/hal, benchmarks/scripts/fetch-clic2025.sh. The digests are of the 11 test pictures that were available.
"""

from lpcodec.datasets.dataset import DataSet, one_file

DIGESTS = {
    "1b4ad095795ac552b38a21d51be7bfaee8e7d0a70619d84767814321df4ed062": "fd7a568c75d29d33",
    "2397c73f8feeb8f630fe055da5551c671794afae80528e8612dc62fc0cf61294": "dbb3562f59840857",
    "2684452db505ddbbb53f42a3f3bcfe86fdd0d6d8d98c029db4b4c6fc1f55b750": "32d6dc68b66d602f",
    "2a760bf1ccea6998be3890dcc2371b23f35fe3006562884b45bc534a621d5c12": "7d5b9b4d3424593d",
    "50d13125b665e0c4c1673264807bfc3cc7a217819329696843fea4c69aff8b91": "5bf32516a6d51b25",
    "a2a946cc516f9eec0f141da3c31a96df94fe342c651af46f0d38f6c04400323a": "181a4606af9a6e81",
    "bb7344a2ba499b2d48b891abee1b903dc17d265437ac57028b5999b6cd5bcdc4": "88032b899966acd5",
    "c9510efb03d1852c29ecad84cc0558768728681a3b9b04eae0dbbd9be142dd95": "d4944c7f2789371e",
    "e0d8e29cadfc99663c7d1a4a5afe20c454ec54d0d873776ec397c59405c74790": "95191fee1b9554ae",
    "ebfd571f1c6824316047a29cb5f376eec15f56dd51821119c1842be068a8b950": "29c99dadcb82df7b",
    "ff32adfa29d4b5de26293352f53cc983d12d3ededd71fe65ca0ef0d887be65c4": "93570180fb315030",
}

_HOME = "https://clic2025.compression.cc/tasks"
_SOURCE = "imazen/codec-corpus"

SETS = (
    DataSet(
        name="clic2025-valid",
        title="CLIC 2025, validation",
        count=32,
        split="valid",
        licence="Unsplash licence",
        home=_HOME,
        downloads=one_file(
            "https://d152a8jkvz9wzs.cloudfront.net/data/clic2025_image_validation.zip",
            _SOURCE,
            "sha256:735f8da90c860e872db6b9dc6fac88d42d0ba021a7a5898b89c062f0634b3149",
        ),
    ),
    DataSet(
        name="clic2025-test",
        title="CLIC 2025, final test",
        count=30,
        split="test",
        licence="Unsplash licence",
        home=_HOME,
        downloads=one_file(
            "https://storage.googleapis.com/clic_datasets/clic2025_image_test.zip",
            _SOURCE,
            "sha256:c479a92b7579f716826822fe892abbe583cfa7cd7f07730a14227a98c7870e92",
        ),
        digests=DIGESTS,
        note="a web page, a game screen and a render are among the photographs",
    ),
)
