"""The pages' figures are those of the result files."""

import re
import subprocess
import sys
from pathlib import Path

from lpcodec.cli.options import rates
from lpcodec.codec import models
from lpcodec.codec.evaluation.codecs import pillow
from tests.modules import BENCHMARKS, module_at

ROOT = Path(__file__).parents[1]


def test_the_tables_of_the_pages_are_made_from_the_result_files() -> None:
    run = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "tables.py", "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "examples", "contrib") for page in (ROOT / folder).glob("*.md")),
    ]
    assert len(pages) > 20
    lost = []
    for page in pages:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            file, _, place = link.partition("#")
            target = (page.parent / file) if file else page
            if link.startswith(("http:", "https:")):
                continue
            if not target.exists() or (place and place not in _places(target)):
                lost.append(f"{page.name}: {link}")
    assert lost == []


def _places(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_reports_command_names_codecs_that_there_are() -> None:
    """The command that makes the documented figures is long; a wrong name must not cost hours."""
    module = module_at(BENCHMARKS / "reports.py")
    known = {"lpcodec", *pillow.MAKERS, *(network.name for network in models.networks()), *models.names()}
    for codecs, targets in module.SETS.values():
        assert set(codecs.split(",")) <= known
        assert rates(targets) or targets == "none"


def test_every_training_option_is_on_its_page() -> None:
    page = (ROOT / "docs" / "training.md").read_text("utf-8")
    for network in models.networks():
        for option in models.family_of(network).options:
            assert f"| `{option}` |" in page, f"{network.name} --set {option}=..."
