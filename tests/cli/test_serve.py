"""The command `lpcodec serve`: where it listens, what it refuses, how it ends."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

pytest.importorskip("starlette", reason="Starlette isn't installed: pip install 'lpcodec[serve]'")
pytest.importorskip("uvicorn", reason="uvicorn isn't installed: pip install 'lpcodec[serve]'")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_serves_this_machine_until_it_is_told_to_end(number: int, code: int) -> None:
    command = [sys.executable, "-m", "lpcodec", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = re.findall(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())[0]
        assert "Drop a photograph here" in requests.get(address, timeout=60).text
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (code, "")


def test_what_cannot_be_is_refused(lpcodec: Any, tmp_path: Path) -> None:
    gone = lpcodec("serve", str(tmp_path / "gone"))
    assert (gone.exit_code, "no such folder" in gone.stderr) == (7, True)
    assert "no model named" in lpcodec("serve", "--model", "none").stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = lpcodec("serve", "--port", str(taken.getsockname()[1]))
    assert (refused.exit_code, "can't be listened on" in refused.stderr) == (7, True)
