"""Kodak: the 24 photographs of the Kodak Lossless True Color Image Suite, 768 x 512 and 512 x 768.

Facts: the page of the set; the addresses as in duanzhiihao/lossy-vae, scripts/download-dataset.py. The digests are of
the 24 pictures of castano/image-datasets, which are identical in every pixel to a second, independent copy.
"""

from lpcodec.datasets.dataset import DataSet, Download, Link

DIGESTS = {
    "kodim01": "f3f0309aa82da628",
    "kodim02": "efb3a142b9fd1213",
    "kodim03": "f382c9f19db1032d",
    "kodim04": "e8bc6d66578eedbe",
    "kodim05": "e0ca3db383cb31b2",
    "kodim06": "59d983a73c75219e",
    "kodim07": "913a2babd7ba1bc8",
    "kodim08": "787d712e7dd5332b",
    "kodim09": "711cfad450f4c003",
    "kodim10": "8536a6eff5385ff1",
    "kodim11": "a63d9315d4c9fbde",
    "kodim12": "dfd9eff8cb44974b",
    "kodim13": "fa612a130b13e5a2",
    "kodim14": "88dc670efb9ef12a",
    "kodim15": "55e07516f03ccc4c",
    "kodim16": "46f26938118cc230",
    "kodim17": "b59939091397b954",
    "kodim18": "6cfe860b5f410d67",
    "kodim19": "be1ad9833b5eb9da",
    "kodim20": "65a7dc4950dffc7b",
    "kodim21": "cb12e2a4186d58f1",
    "kodim22": "7aa6307b6d32ebda",
    "kodim23": "84278e4abfd7eb4a",
    "kodim24": "3fa80499f14cf6d9",
}

SETS = (
    DataSet(
        name="kodak",
        title="Kodak",
        count=24,
        split="test",
        licence="released by Kodak for unrestricted use, says its page",
        home="https://r0k.us/graphics/kodak/",
        downloads=tuple(
            Download((Link(f"http://r0k.us/graphics/kodak/kodak/{stem}.png", "duanzhiihao/lossy-vae"),))
            for stem in DIGESTS
        ),
        digests=DIGESTS,
    ),
)
