"""Encode each picture of a folder, and go on after one that can't be read: `python folder.py photos coded`.

`lpcodec batch` does this for very many pictures with all cores: docs/scale.md.
"""

import sys
from pathlib import Path

import lpcodec

source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.mkdir(parents=True, exist_ok=True)

failed = 0
for path in sorted(path for path in source.iterdir() if path.is_file()):
    try:
        result = lpcodec.encode_report(path, bpp=1.0, best_effort=True)
    except lpcodec.LpcodecError as error:
        print(error)  # begins with the file's name
        failed += 1
        continue
    (target / f"{path.stem}.lpc").write_bytes(result.data)
    print(f"{path.name}: {len(result.data):,} bytes", *result.notes, sep="; ")
print(f"{failed} failed")
