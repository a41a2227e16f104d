"""CLIC 2021: the test pictures of its image track; training and validation are the professional sets of 2020.

Facts: the address as in clic-challenge/archive, docs/2021/tasks/index.html; its MD5 as in
facebookresearch/NeuralCompression, neuralcompression/data; 60 in the READMEs of codecs that use it.
"""

from lpcodec.datasets.dataset import DataSet, one_file

SETS = (
    DataSet(
        name="clic2021-test",
        title="CLIC 2021, test",
        count=60,
        split="test",
        licence="see the organisers' page",
        home="https://clic.compression.cc/2021/tasks/index.html",
        downloads=one_file(
            "https://storage.googleapis.com/clic2021_public/professional_test_2021.zip",
            "clic-challenge/archive",
            "md5:4476b708ea4c492505dd70061bebe202",
        ),
    ),
)
