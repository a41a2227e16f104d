"""The web application of `lpcodec serve`: pictures in, comparisons out, each version as soon as it is made.

```
GET  /                               the page, with a client key in it
PUT  /c/KEY/picture                  the bytes of a picture file -> its size as JSON
PUT  /c/KEY/folder/N                 the N-th picture of the served folder
GET  /c/KEY/at/BPP                   the comparison: a JSON object per line, ours first
GET  /c/KEY/original.png, /c/KEY/at/BPP/CODEC.png, /c/KEY/at/BPP/file.lpc
```
Limits: bytes and pixels of a picture, number of clients, comparisons kept. One thread computes. A comparison is
cancelled if its client begins another one or leaves. A request must name the server by one of its own names, and a
request that changes something must carry a header that pages of other sites can't send. So such pages can't use the
server through its user's browser.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lpcodec.codec.errors import LimitError, LpcodecError
from lpcodec.codec.evaluation.live.clients import Client, Clients
from lpcodec.codec.evaluation.live.compare import OURS, TITLES, CancelledError, Comparison, Version, to_png

Result = TypeVar("Result")

MAX_UPLOAD, MAX_PIXELS = 50_000_000, 16_000_000
LOWEST_BPP, HIGHEST_BPP = 0.01, 6.0
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp")
_MOST_IN_FOLDER = 200
_THUMBNAIL = 160
_SECONDS_BETWEEN_LOOKS = 0.1
_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_SHARED = ("base.css", "base.js")
"""The files of the page that a report's page has too; they are in its room."""
_HEADER = "x-lpcodec"


@dataclass(frozen=True)
class Setup:
    """What is served: a folder of pictures or none, the limits, the model, and the names the server goes by."""

    folder: Path | None = None
    max_upload: int = MAX_UPLOAD
    max_pixels: int = MAX_PIXELS
    model: str = "default"
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost")


def application(setup: Setup) -> Starlette:
    """The application, to be run by an ASGI server such as uvicorn."""
    live = _Live(setup)
    routes = [
        Route("/", live.page),
        *(Route(f"/{name}", live.asset) for name in (*_SHARED, "page.css", "page.js")),
        Route("/folder/{number:int}.jpg", live.thumbnail),
        Route("/c/{key}/picture", live.take, methods=["PUT"]),
        Route("/c/{key}/folder/{number:int}", live.take_from_folder, methods=["PUT"]),
        Route("/c/{key}/original.png", live.original),
        Route("/c/{key}/at/{bpp}", live.compare),
        Route("/c/{key}/at/{bpp}/file.lpc", live.file),
        Route("/c/{key}/at/{bpp}/{codec}.png", live.version),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(setup.hosts))],
        exception_handlers={HTTPException: _refused},
        lifespan=live.lifespan,
    )


@dataclass
class _Live:
    setup: Setup
    clients: Clients = field(default_factory=Clients)
    pictures: list[Path] = field(init=False)
    thread: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="lpcodec")
        found = [] if self.setup.folder is None else sorted(self.setup.folder.iterdir())
        self.pictures = [p for p in found if p.suffix.lower() in _ENDINGS and p.name[0] != "."][:_MOST_IN_FOLDER]

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self.thread.shutdown(wait=False, cancel_futures=True)

    async def page(self, request: Request) -> Response:
        config = {
            "client": self.clients.add(), "folder": [path.name for path in self.pictures],
            "maxUpload": self.setup.max_upload, "maxPixels": self.setup.max_pixels,
            "lowest": LOWEST_BPP, "highest": HIGHEST_BPP,
        }  # fmt: skip
        text = json.dumps(config).replace("<", "\\u003c")
        page = _asset("page.html").replace('"CONFIG"', text)
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})

    async def asset(self, request: Request) -> Response:
        name = request.url.path.removeprefix("/")
        return Response(_asset(name), media_type="text/css" if name.endswith(".css") else "text/javascript")

    async def thumbnail(self, request: Request) -> Response:
        path = self._of_folder(request)
        data = await asyncio.to_thread(_thumbnail, path, self.setup.max_pixels)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=600"})

    async def take(self, request: Request) -> Response:
        client = self._client(request, changes=True)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self.setup.max_upload:
                raise HTTPException(413, f"the file is over the limit of {self.setup.max_upload:,} bytes")
        return await self._give(client, unquote(request.headers.get("x-name", "picture")), bytes(body))

    async def take_from_folder(self, request: Request) -> Response:
        client, path = self._client(request, changes=True), self._of_folder(request)
        return await self._give(client, path.name, path)

    async def _give(self, client: Client, name: str, source: bytes | Path) -> Response:
        def load() -> tuple[Comparison, bytes, tuple[str, ...]]:
            from lpcodec.codec import picture

            found = picture.load_rgb(source, max_pixels=self.setup.max_pixels)
            return Comparison(found.pixels, self.setup.model), to_png(found.pixels), found.notes

        client.begin()
        try:
            comparison, original, notes = await asyncio.to_thread(load)
        except LpcodecError as error:
            status = 413 if isinstance(error, LimitError) else 415
            raise HTTPException(status, str(error).removeprefix("the picture: ")) from error
        client.take(name, comparison, original)
        height, width = comparison.pixels.shape[:2]
        about = {"name": name, "width": width, "height": height, "notes": notes, "codecs": comparison.names()}
        return JSONResponse(about)

    async def original(self, request: Request) -> Response:
        return _png(self._with_picture(request).original)

    async def compare(self, request: Request) -> Response:
        client = self._with_picture(request)
        rate, bpp = _rate(request)
        return StreamingResponse(self._lines(request, client, rate, bpp), media_type="application/x-ndjson")

    async def _lines(self, request: Request, client: Client, rate: str, bpp: float) -> AsyncIterator[bytes]:
        gone, comparison = client.begin(), client.comparison
        assert comparison is not None
        budget = 0
        try:
            for name in comparison.names():
                version = client.rates.get(rate, {}).get(name)
                try:
                    if version is None:
                        version = await self._computed(request, gone, _work(comparison, name, bpp, budget, gone))
                except CancelledError:
                    return
                except Exception as error:  # of a codec; the others can still be shown
                    yield _line({"error": f"{TITLES[name]}: {' '.join(str(error).split())}"})
                    if name == OURS:
                        return
                    continue
                client.keep(rate, version)
                budget = version.size if name == OURS else budget
                yield _line(version.facts())
        finally:
            gone.set()

    async def _computed(self, request: Request, gone: Event, work: Callable[[], Result]) -> Result:
        """`work` done by the one thread that computes; CancelledError if the client leaves meanwhile."""

        def unless_gone() -> Result:
            if gone.is_set():
                raise CancelledError
            return work()

        future = asyncio.get_running_loop().run_in_executor(self.thread, unless_gone)
        # If the request itself is cancelled, nobody asks for the result, and asyncio would print its exception.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        while not future.done():
            await asyncio.wait({future}, timeout=_SECONDS_BETWEEN_LOOKS)
            if await request.is_disconnected():
                gone.set()
        return future.result()

    async def file(self, request: Request) -> Response:
        client = self._with_picture(request)
        name = f"{Path(client.name).stem or 'picture'}.lpc"
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(self._kept(request, OURS).file, media_type="image/x-lpc", headers=headers)

    async def version(self, request: Request) -> Response:
        return _png(self._kept(request, request.path_params["codec"]).png)

    def _kept(self, request: Request, codec: str) -> Version:
        version = self._with_picture(request).rates.get(_rate(request)[0], {}).get(codec)
        if version is None:
            raise HTTPException(404, "that comparison is no longer kept: ask for it again")
        return version

    def _client(self, request: Request, *, changes: bool = False) -> Client:
        if changes and _HEADER not in request.headers:
            raise HTTPException(403, f"the header {_HEADER} is missing")
        client = self.clients.find(request.path_params["key"])
        if client is None:
            raise HTTPException(410, "this page was away too long: load it again")
        return client

    def _with_picture(self, request: Request) -> Client:
        client = self._client(request)
        if client.comparison is None:
            raise HTTPException(404, "there is no picture yet")
        return client

    def _of_folder(self, request: Request) -> Path:
        number = int(request.path_params["number"])
        if number >= len(self.pictures):
            raise HTTPException(404, "the folder has no such picture")
        return self.pictures[number]


def _line(found: dict[str, Any]) -> bytes:
    return json.dumps(found).encode() + b"\n"


def _work(comparison: Comparison, name: str, bpp: float, budget: int, gone: Event) -> Callable[[], Version]:
    if name == OURS:
        return partial(comparison.ours, bpp, gone.is_set)
    return partial(comparison.other, name, budget, gone.is_set)


def _rate(request: Request) -> tuple[str, float]:
    """The rate in the URL, as it names a comparison, and as a number."""
    text = request.path_params["bpp"]
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text) or not LOWEST_BPP <= float(text) <= HIGHEST_BPP:
        raise HTTPException(400, f"a rate is a number from {LOWEST_BPP:g} to {HIGHEST_BPP:g}")
    return text, float(text)


def _thumbnail(path: Path, max_pixels: int) -> bytes:
    from lpcodec.codec import picture

    try:
        found = picture.load_rgb(path, max_pixels=max_pixels)
    except LpcodecError as error:
        raise HTTPException(415, str(error)) from error
    from PIL import Image

    image, stream = Image.fromarray(found.pixels), BytesIO()
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    image.save(stream, "JPEG", quality=80)
    return stream.getvalue()


def _png(data: bytes) -> Response:
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


def _asset(name: str) -> str:
    room = "report" if name in _SHARED else "live"
    return (resources.files("lpcodec.codec.evaluation") / room / name).read_text("utf-8")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)
