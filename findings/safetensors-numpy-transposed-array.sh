#!/bin/sh
# safetensors.numpy 0.8.0 stores a transposed array with its numbers in the wrong order.
#
# Versions: safetensors 0.8.0 and 0.7.0, numpy 2.4.6.
# Input: an array of 2 x 3, its transpose, a copy of it in Fortran's order, and every second column of it, each through `save` and
#   `load` of safetensors.numpy.
# Expected: the same numbers in the same places, as 0.7.0 gives them; or an error, as safetensors.torch raises for such tensors. The
#   docstring asks for contiguous arrays.
# Seen: with 0.8.0 shapes and types are right, but the numbers are in the order in which they lie in memory, and nothing is raised:
#   [[0, 1, 2], [3, 4, 5]].T comes back as [[0, 1], [2, 3], [4, 5]] instead of [[0, 3], [1, 4], [2, 5]]. Of every second column
#   the wrong numbers come back. It is issue 825 of huggingface/safetensors.
# Weights that are turned once for the layout of another program (kernels of convolutions, linear layers) load without an error and
#   give noise. Instead: np.ascontiguousarray before `save`.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
for version in 0.7.0 0.8.0; do
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "safetensors==$version"
    "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import safetensors
from safetensors.numpy import load, save

rows = np.arange(6, dtype=np.float32).reshape(2, 3)
arrays = {
    "as it is": rows,
    "transposed": rows.T,
    "Fortran's order": np.asfortranarray(rows),
    "every second column": rows[:, ::2],
    "transposed, copied": np.ascontiguousarray(rows.T),
}
print("safetensors", safetensors.__version__)
same = {}
for name, array in arrays.items():
    back = load(save({"a": array}))["a"]
    same[name] = bool(np.array_equal(back, array))
    print(f"  {name}: {array.tolist()} -> {back.tolist()}")
    if back.shape != array.shape or back.dtype != array.dtype:
        raise SystemExit(1)
contiguous = {"as it is", "transposed, copied"}
expected = {name: safetensors.__version__ == "0.7.0" or name in contiguous for name in arrays}
raise SystemExit(0 if same == expected else 1)
PYTHON
done
