"""A server on this machine that behaves as told: with ranges or not, cutting connections, failing."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image


@dataclass
class Server:
    """What it serves and how. `asked` are the requests: (path, Range header or "")."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    """How many bytes the next answers send before the connection breaks; then answers are whole."""
    statuses: list[int] = field(default_factory=list)
    """What the next answers are in place of the file."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: "_Http"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        told = self.server.told
        wanted = self.headers.get("Range", "")
        told.asked.append((self.path, wanted))
        data = told.files.get(self.path.lstrip("/").split("?")[0])
        if told.statuses or data is None:
            self.send_error(told.statuses.pop(0) if told.statuses else 404)
            return
        start = 0
        if wanted and told.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        until = start + told.cut_after.pop(0) if told.cut_after else len(data)
        self.wfile.write(data[start:until])


class _Http(ThreadingHTTPServer):
    told: Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server, running."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = _Http(("127.0.0.1", 0), _Handler)
    http.told = Server(address=f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield http.told
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def noise() -> Iterator[Image.Image]:
    """Small pictures, each other than the ones before."""
    rng = np.random.default_rng(5)

    def pictures() -> Iterator[Image.Image]:
        while True:
            yield Image.fromarray(rng.integers(0, 256, (6, 7, 3), np.uint8))

    return pictures()
