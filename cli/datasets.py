"""`lpcodec datasets`: list the known data sets, fetch one, and compare its pictures with the known digests."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lpcodec.cli import progress
from lpcodec.cli.failures import guarded, printable, say
from lpcodec.cli.options import Json, Quiet, examples
from lpcodec.cli.streams import watched
from lpcodec.codec.errors import DamagedFileError, FileAccessError, UsageError

if TYPE_CHECKING:
    from lpcodec.datasets.dataset import DataSet
    from lpcodec.datasets.verify import Report

LIST_EXAMPLES = examples("lpcodec datasets list", "lpcodec datasets list --json")
FETCH_EXAMPLES = examples(
    "lpcodec datasets fetch kodak", "lpcodec datasets fetch clic2020-professional-valid --root sets"
)
VERIFY_EXAMPLES = examples("lpcodec datasets verify kodak", "lpcodec datasets verify pictures/kodak --json")
EXAMPLES = examples("lpcodec datasets list", "lpcodec datasets fetch kodak", "lpcodec datasets verify kodak")
MOST_NAMED = 10

app = typer.Typer(
    help="Data sets to measure with: list, fetch and verify them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
Root = Annotated[
    Path | None,
    typer.Option(
        "--root", metavar="DIR", help="The folder of all sets; by default $LPCODEC_DATA, or else the user's cache."
    ),
]


def list_sets(root: Root = None, as_json: Json = False) -> None:
    """List the known data sets, and which of them are on this machine."""
    from lpcodec.datasets import registry
    from lpcodec.datasets.pictures import picture_files

    root = root or registry.data_root()
    here = {s.name: len(picture_files(root / s.name)) for s in registry.sets()}
    if as_json:
        rows = [{**_facts(s), "here": str(root / s.name) if here[s.name] else None} for s in registry.sets()]
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print_table(registry.sets(), here, root)


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The set; see lpcodec datasets list.")],
    root: Root = None,
    quiet: Quiet = False,
) -> None:
    """Download a set and unpack its pictures. Give the same command again to continue an interrupted download."""
    from lpcodec.codec.picture import read_rgb
    from lpcodec.datasets import fetch as fetching
    from lpcodec.datasets import registry

    try:
        dataset = registry.named(name)
    except registry.UnknownSetError as error:
        raise UsageError(str(error)) from error
    with progress.over_run("fetching", quiet=quiet or not watched()) as show:
        fetched = fetching.fetch(dataset, read_rgb, root, show)
    if not quiet:
        for note in fetched.notes:
            say(note)
        typer.echo(_summary(fetched.report))


def verify(
    name_or_folder: Annotated[
        str, typer.Argument(metavar="NAME_OR_FOLDER", help="A set on this machine, or a folder.")
    ],
    root: Root = None,
    as_json: Json = False,
) -> None:
    """Compare the pictures of a set with the known digests: which are there, missing, changed, or not of the set."""
    from lpcodec.codec.picture import read_rgb
    from lpcodec.datasets import registry
    from lpcodec.datasets import verify as verifying

    try:
        found = registry.find(name_or_folder, root)
    except ValueError as error:  # datasets knows nothing of our errors
        raise UsageError(str(error)) from error
    with progress.over_run("verifying", quiet=not watched()) as show:
        report = verifying.verify(found.folder, found.dataset, read_rgb, show)
    if as_json:
        typer.echo(json.dumps(_document(found.folder, report), indent=2))
    elif report is None:
        typer.echo(f"{printable(str(found.folder))}: not the pictures of a known set")
    else:
        typer.echo(_summary(report))
    if report is not None:
        _judge(report)


def _judge(report: "Report") -> None:
    if report.damaged:
        raise DamagedFileError(f"{report.folder}: {len(report.damaged)} changed or broken: {_some(report.damaged)}")
    if not report.complete:
        lacking = len(report.missing) + report.missing_unnamed
        named = f": {_some(report.missing)}" if report.missing else ""
        pictures = "1 picture" if lacking == 1 else f"{lacking} pictures"
        raise FileAccessError(f"{report.folder}: {pictures} of {report.dataset.title} missing{named}")


def _summary(report: "Report") -> str:
    """`Kodak in DIR: 24 of 24 pictures; 24 with the pixels that are known`."""
    dataset = report.dataset
    of = f" of {dataset.count}" if dataset.count is not None else ""
    parts = [f"{dataset.title} in {printable(str(report.folder))}: {report.present}{of} pictures"]
    words = {
        "exact": "with the pixels known here",
        "fetched": "as they were fetched",
        "named": "by name alone, their pixels aren't known here",
        "changed": "changed",
        "unreadable": "broken",
        "extra": "not of the set",
    }
    parts += [f"{len(found)} {text}" for state, text in words.items() if (found := report.of(state))]  # type: ignore[arg-type]
    if dataset.note:
        parts.append(f"note: {dataset.note}")
    return "; ".join(parts)


def _some(names: "list[str] | tuple[str, ...]") -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _facts(dataset: "DataSet") -> dict[str, Any]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "pictures": dataset.count,
        "split": dataset.split,
        "licence": dataset.licence,
        "home": dataset.home,
        "links": [
            [
                {"url": k.url, "stated_by": k.source, "checksum": k.checksum or None, "tried": k.tried}
                for k in wanted.links
            ]
            for wanted in dataset.downloads
        ],
        "access": dataset.access,
        "digests_known": len(dataset.digests),
        "note": dataset.note,
    }


def _document(folder: Path, report: "Report | None") -> dict[str, Any]:
    if report is None:
        return {"folder": str(folder), "set": None}
    return {
        "folder": str(folder),
        "set": report.dataset.name,
        "expected": report.dataset.count,
        "present": report.present,
        "complete": report.complete,
        "pictures": dict(report.states),
        "missing": list(report.missing),
        "missing_unnamed": report.missing_unnamed,
    }


def _print_table(sets: "tuple[DataSet, ...]", here: dict[str, int], root: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in ("name", "title", "pictures", "split", "link", "here"):
        table.add_column(
            heading, justify="right" if heading == "pictures" else "left", no_wrap=heading in ("name", "split", "link")
        )
    for dataset in sets:
        count = "?" if dataset.count is None else str(dataset.count)
        found = here[dataset.name]
        table.add_row(
            Text(dataset.name, style="bold"),
            dataset.title,
            count,
            dataset.split,
            dataset.link,
            f"{found} pictures" if found else "",
        )
    console = Console()
    console.print(table)
    console.print(
        Text(f"Sets are kept in {root}, one folder each. A link that is not tried may be dead or have moved.")
    )


app.command("list", epilog=LIST_EXAMPLES)(guarded(list_sets))
app.command("fetch", epilog=FETCH_EXAMPLES)(guarded(fetch))
app.command("verify", epilog=VERIFY_EXAMPLES)(guarded(verify))
