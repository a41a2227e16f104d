"""No network in encode, decode, info and verify (G12): a process in which every use of a socket fails does them all."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

PROGRAM = """
import io, sys

def refuse(event, arguments):
    if event.startswith("socket.") or event == "urllib.Request":
        raise SystemExit(f"the network was used: {event} {arguments}")

sys.addaudithook(refuse)
import lpcodec
from lpcodec.cli.app import app

picture, folder = sys.argv[1:]
for model in ("default", "lpcae", "wcae"):
    data = lpcodec.encode(picture, model=model)
    lpcodec.decode(data), lpcodec.info(data), lpcodec.verify(data)
lpcodec.encode(picture, bpp=0.5, effort=2)
for words in (
    ["encode", picture, f"{folder}/a.lpc", "--psnr", "25"],
    ["info", f"{folder}/a.lpc"],
    ["verify", f"{folder}/a.lpc"],
    ["decode", f"{folder}/a.lpc", f"{folder}/a.png"],
    ["models"],
):
    try:
        app(words)
    except SystemExit as end:
        assert not end.code, (words, end.code)
try:
    import socket
    socket.socket().connect(("127.0.0.1", 9))
except SystemExit:
    print("all done, and the network is watched")
"""


def test_a_process_without_network_codes(tmp_path: Path, thumbnail: Image.Image) -> None:
    thumbnail.save(tmp_path / "picture.png")
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "picture.png"), str(tmp_path)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert ran.stdout.splitlines()[-1:] == ["all done, and the network is watched"], ran.stderr
