"""Train a model, export its weights, and code with them: `python own_model.py photos runs photo.png [STEPS]`.

A few steps only show the way. docs/training.md says how long the models that ship were trained.
"""

import os
import sys
from pathlib import Path

import lpcodec
from lpcodec.codec.training.export import export
from lpcodec.codec.training.loop import train

photos, runs, picture = (Path(name) for name in sys.argv[1:4])
steps = int(sys.argv[4]) if len(sys.argv) > 4 else 2000

run = train("wcae", photos, runs / "mine", steps=steps, batch=2, patch=64, options={"lmbda": "0.01"})
weights = export(run, "mine", runs / "weights", data=photos, note="trained by examples/own_model.py")
print(f"{weights}: {weights.stat().st_size:,} bytes")

os.environ["LPCODEC_WEIGHTS"] = str(weights.parent)  # whoever decodes the file needs this folder too
data = lpcodec.encode(picture, model="mine")
lpcodec.decode(data).save(runs / "decoded.png")
print(f"{picture.name}: {len(data):,} bytes with {lpcodec.info(data)['model']['name']}")
