"""`lpcodec serve`: a page on this machine to compare codecs on a picture, at any rate."""

import contextlib
import socket
from pathlib import Path
from typing import Annotated

import typer

from lpcodec.cli.failures import say
from lpcodec.cli.options import amount, examples
from lpcodec.codec.errors import FileAccessError, UsageError

EXAMPLES = examples("lpcodec serve", "lpcodec serve photos", "lpcodec serve --port 9000 --max-pixels 40M")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="A folder of pictures to choose from on the page.")
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="HOST", help="The address to listen on; by default only this machine can connect."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="The port; 0 takes a free one.")
    ] = 8000,
    max_upload: Annotated[
        int | None,
        typer.Option("--max-upload", parser=amount, metavar="BYTES", help="Refuse larger files; the default is 50M."),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels",
            parser=amount,
            metavar="N",
            help="Refuse pictures of more than N pixels; the default is 16M.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The model of lpcodec: see lpcodec models.")
    ] = "default",
) -> None:
    """Serve a page: drop a picture on it, choose a rate, and see it beside AVIF, WebP, JPEG and JPEG XL of that size.

    Needs pip install 'lpcodec\\[serve]'. Ctrl-C ends it.
    """
    try:
        import uvicorn

        from lpcodec.codec.evaluation.live.server import MAX_PIXELS, MAX_UPLOAD, Setup, application
    except ImportError:
        raise UsageError("serve needs Starlette and uvicorn: pip install 'lpcodec[serve]'") from None
    from lpcodec.codec import models

    models.variants(model)
    if folder is not None and not folder.is_dir():
        raise FileAccessError(f"{folder}: no such folder")
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise FileAccessError(f"{host}:{port}: can't be listened on: {error.strerror or error}") from error
    shown = f"[{host}]" if ":" in host else host
    say(f"lpcodec: open http://{shown}:{listening.getsockname()[1]}/ in a browser; Ctrl-C ends it")
    if host not in _LOOPBACK:
        say("lpcodec: note: everyone who reaches this machine can use the page")
    hosts = (*_LOOPBACK[:2], "[::1]", shown) if host in _LOOPBACK else ("*",)
    setup = Setup(folder, max_upload or MAX_UPLOAD, max_pixels or MAX_PIXELS, model, hosts)
    server = uvicorn.Server(uvicorn.Config(application(setup), log_level="warning", lifespan="on"))
    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        server.run(sockets=[listening])
