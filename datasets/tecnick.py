"""Tecnick: the 100 pictures of 1200 x 1200 of TESTIMAGES (its older "SAMPLING" set), which papers mean by this name.

Facts: the size, the count and the first address as in the documentation of tensorflow/compression; the address in the
archive of the same file at a mirror and the folder inside as public evaluation code has them. The archive holds the
same pictures in other sizes too.
"""

from lpcodec.datasets.dataset import DataSet, Download, Link

SETS = (
    DataSet(
        name="tecnick",
        title="Tecnick",
        count=100,
        split="test",
        licence="CC BY-NC-SA 4.0 by testimages.org",
        home="https://testimages.org/sampling/",
        downloads=(
            Download(
                (
                    Link(
                        "https://sourceforge.net/projects/testimages/files/OLD/OLD_SAMPLING/testimages.zip",
                        "tensorflow/compression",
                    ),
                    Link(
                        "https://master.dl.sourceforge.net/project/testimages/OLD/OLD_SAMPLING/testimages.zip?viasf=1",
                        "the README of a published codec",
                    ),
                ),
                inside="RGB/RGB_OR_1200x1200/",
            ),
        ),
        names=tuple(f"RGB_OR_1200x1200_{number:03}" for number in range(1, 101)),
    ),
)
