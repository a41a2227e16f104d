"""CLIC 2020: "professional" and "mobile" pictures, each with training, validation and test.

What papers call "CLIC" is mostly the 41 professional validation pictures.

Facts: first addresses and their SHA-256 as in tensorflow/datasets, url_checksums/clic.txt; the addresses at
storage.googleapis.com as in public download scripts: these archives are packed differently, and the SHA-256 of only one
was found. Counts: 41 and the names in Orange-OpenSource/Cool-Chic, results/image/clic20-pro-valid/results.tsv; 585 in
the READMEs of codecs that train on it; 250 and 178 together are the 428 of the test split of TensorFlow Datasets; 61 is
what is left of 102 in all. For the mobile training set no count was found in a source.
"""

from lpcodec.datasets.dataset import DataSet, Download, Link, Split

VALIDATION_NAMES = (
    "alberto-montalesi-176097",
    "alejandro-escamilla-6",
    "ales-krivec-15949",
    "alexander-shustov-73",
    "allef-vinicius-109434",
    "amy-zhang-15940",
    "andrew-ruiz-376",
    "benjamin-sloth-lindgreen-705",
    "casey-fyfe-999",
    "clem-onojeghuo-33741",
    "daniel-robert-405",
    "davide-ragusa-716",
    "dogancan-ozturan-395",
    "felix-russell-saw-140699",
    "gian-reto-tarnutzer-45212",
    "jared-erondu-21325",
    "jason-briscoe-149782",
    "jeremy-cai-1174",
    "juskteez-vu-1041",
    "kazuend-28556",
    "lobostudio-hamburg-75377",
    "martin-wessely-211",
    "martyn-seddon-220",
    "michael-durana-82941",
    "mullermarc-184",
    "nomao-saeki-33553",
    "paul-itkin-46101",
    "philipp-reiner-207",
    "philippe-wuyts-45997",
    "roberto-nickson-48063",
    "schicka-307",
    "sergey-zolkin-1045",
    "sergey-zolkin-21232",
    "stefan-kunze-26931",
    "thong-vo-428",
    "todd-quackenbush-222",
    "todd-quackenbush-27493",
    "veeterzy-82537",
    "vita-vilcina-3055",
    "wojciech-szaturski-3611",
    "zugr-108",
)

_ETHZ = "https://data.vision.ee.ethz.ch/cvl/clic"
_GOOGLE = "https://storage.googleapis.com/clic_datasets"
_MIRROR_SHA256 = {"professional_valid": "sha256:e56568e20ead6bd215b313fed260d1c98b9ba863540039f00892ab67b1e39baf"}
_SPLITS: dict[str, Split] = {"train": "train", "valid": "valid", "test": "test"}
_WORDS = {"train": "training", "valid": "validation", "test": "test"}


def _set(kind: str, split: str, count: int | None, file: str, sha256: str, names: tuple[str, ...] = ()) -> DataSet:
    mirror = f"{kind}_{split}"
    return DataSet(
        name=f"clic2020-{kind}-{split}",
        title=f"CLIC 2020 {kind}, {_WORDS[split]}",
        count=count,
        split=_SPLITS[split],
        licence=f"{_ETHZ}/LICENSE_professional_2020.txt (Unsplash)" if kind == "professional" else "see the page",
        home="https://clic.compression.cc/2021/tasks/index.html",
        downloads=(
            Download(
                (
                    Link(f"{_ETHZ}/{file}", "tensorflow/datasets", f"sha256:{sha256}"),
                    Link(f"{_GOOGLE}/clic2020_{mirror}.zip", "public download scripts", _MIRROR_SHA256.get(mirror, "")),
                )
            ),
        ),
        names=names,
    )


SETS = (
    _set(
        "professional", "train", 585, "professional_train_2020.zip",
        "54a2a684b5cbd0db91770a8695efb774fed1f612194fee68bceaf6b1c48e5d5f",
    ),
    _set(
        "professional", "valid", 41, "professional_valid_2020.zip",
        "00be38092ade2ab5163b65f7f6523d46c7bca147007f559adbb02c0afc236b7d", VALIDATION_NAMES,
    ),
    _set(
        "professional", "test", 250, "test/CLIC2020Professional_test.zip",
        "857df244fc2bfa5da28d4c66bf0db16ee99bfc79eb807be8afa89cd507852884",
    ),
    _set(
        "mobile", "train", None, "mobile_train_2020.zip",
        "4bf9d890e6785426fb41cb4f43df3d8cd6db25fafcc76fc1eb629141166d6529",
    ),
    _set(
        "mobile", "valid", 61, "mobile_valid_2020.zip",
        "ff0280382eeb32fdceb28c81a7f47ac9ad86d933ebe901680845635d04e47a10",
    ),
    _set(
        "mobile", "test", 178, "test/CLIC2020Mobile_test.zip",
        "2025f07a6c652270e534640de4271feef3b3dd3260beed4ac4821064837aa732",
    ),
)  # fmt: skip
