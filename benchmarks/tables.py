"""Writes the tables of README.md and docs/*.md from result files: `python benchmarks/tables.py [--check]`.

A table is between `<!-- table: NAME -->` and `<!-- end table -->`; what is between is replaced. With --check nothing is
written, and the exit code is 1 if a page doesn't say what the result files say.
"""

import argparse
import sys

from page_tables import ablations, codecs, training, uses
from page_tables.common import ROOT

NAMES = (
    "command-line",
    "training",
    "results",
    "ablations",
    "reliability",
    "frontends",
    "effort",
    "layers",
    "scale",
    "upscaling",
)
PAGES = ("README.md", *(f"docs/{name}.md" for name in NAMES))
START, END = "<!-- table: {} -->", "<!-- end table -->"
TABLES = codecs.TABLES | training.TABLES | ablations.TABLES | uses.TABLES


def with_tables(text: str) -> str:
    """The page with all its tables made again."""
    for name, make in TABLES.items():
        start = START.format(name)
        if start in text:
            before, rest = text.split(start, 1)
            text = "\n".join((before + start, *make(), END)) + rest.split(END, 1)[1]
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a page is out of date")
    check = parser.parse_args().check
    stale = []
    for page in (ROOT / name for name in PAGES):
        text = page.read_text()
        if (new := with_tables(text)) != text:
            stale.append(page.name)
            if not check:
                page.write_text(new)
    if stale:
        print(("out of date: " if check else "written: ") + ", ".join(stale))
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
