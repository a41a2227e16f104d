"""The `lpcodec` command: its subcommands, each from a file of its own.

torch, numpy and Pillow are imported by the commands that need them, when they run, so that `lpcodec --help` is quick.
"""

import sys
from typing import Annotated

import typer

import lpcodec
from lpcodec.cli import (
    bulk,
    compare,
    datasets,
    decode,
    demo,
    encode,
    export,
    info,
    models,
    report,
    serve,
    show,
    streams,
    train,
    upscale,
    verify,
)
from lpcodec.cli.failures import complain, end_on_signals, guarded
from lpcodec.cli.usage import OneLineErrors

app = typer.Typer(
    name="lpcodec",
    cls=OneLineErrors,
    help="A learned image codec: pictures to small files and back, at the rate you ask for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"lpcodec {lpcodec.__version__}")
        raise typer.Exit


@app.callback(epilog=encode.EXAMPLES)
def _top(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


app.command(epilog=encode.EXAMPLES)(guarded(encode.encode))
app.command(epilog=decode.EXAMPLES)(guarded(decode.decode))
app.command(epilog=upscale.EXAMPLES)(guarded(upscale.upscale))
app.command(epilog=info.EXAMPLES)(guarded(info.info))
app.command(epilog=verify.EXAMPLES)(guarded(verify.verify))
app.command(epilog=models.EXAMPLES)(guarded(models.models))
app.command(epilog=demo.EXAMPLES)(guarded(demo.demo))
app.command(epilog=compare.EXAMPLES)(guarded(compare.compare))
app.command(epilog=report.EXAMPLES)(guarded(report.report))
app.command(epilog=serve.EXAMPLES)(guarded(serve.serve))
app.command(epilog=train.EXAMPLES)(guarded(train.train))
app.command(epilog=export.EXAMPLES)(guarded(export.export))
app.add_typer(bulk.app, name="batch", epilog=bulk.EXAMPLES)
app.add_typer(datasets.app, name="datasets", epilog=datasets.EXAMPLES)
app.add_typer(show.app, name="show", epilog=show.EXAMPLES)


def main() -> None:
    """Run the command. The console script and `python -m lpcodec` call this."""
    streams.prepare()
    end_on_signals()
    try:
        app(prog_name="lpcodec")
    except Exception as error:  # in typer's own work: the commands are guarded
        sys.exit(complain(error))
    finally:
        streams.settle()
