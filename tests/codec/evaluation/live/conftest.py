"""A server on a free port, as `lpcodec serve` runs it, with a folder of two pictures."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def served_folder(portrait: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    portrait.crop((100, 40, 420, 300)).save(folder / "face.png")
    portrait.resize((128, 150)).save(folder / "small <b>.jpg")
    (folder / "broken.png").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="session")
def server(served_folder: Path) -> Iterator[str]:
    """The address of a running server, without the slash."""
    pytest.importorskip("starlette", reason="Starlette isn't installed: pip install 'lpcodec[serve]'")
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn isn't installed: pip install 'lpcodec[serve]'")
    from lpcodec.codec.evaluation.live.server import Setup, application

    setup = Setup(served_folder, max_upload=2_000_000, max_pixels=1_000_000)
    running = uvicorn.Server(uvicorn.Config(application(setup), port=0, log_level="warning"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not running.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join(30)
    assert not thread.is_alive()
