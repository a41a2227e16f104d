#!/bin/sh
# scikit-image's PSNR of float pictures rises by 6 dB if a single sample of the original is below 0.
#
# Versions: scikit-image 0.26.0, numpy 2.4.6.
# Input: a float64 picture with values of 0 to 1, and the same with noise. In a copy one sample of 4096, which is 0, is -1e-9, as
#   after a bicubic reduction or a wavelet's inverse. No `data_range` is given.
# Expected: the same PSNR, as the difference is a billionth. The documentation says that the range is estimated from the type.
# Seen: 6.02 dB more: the range is 1 if the original has no negative value, and 2 if it has one. It depends on the original
#   alone: if the other picture has the negative sample, nothing changes. So two pictures of a set are measured by two
#   scales, and which argument is the original decides.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-image==0.26.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy
import skimage
from skimage.metrics import peak_signal_noise_ratio

print("scikit-image", skimage.__version__)
generator = numpy.random.default_rng(0)
picture = generator.random((64, 64))
picture[0, 0] = 0
noisy = numpy.clip(picture + generator.normal(0, 0.02, picture.shape), 0, 1)
below = picture.copy()
below[0, 0] = -1e-9
found = {
    "original from 0": peak_signal_noise_ratio(picture, noisy),
    "original from -1e-9": peak_signal_noise_ratio(below, noisy),
    "original from -1e-9 as the second argument": peak_signal_noise_ratio(noisy, below),
    "original from -1e-9, data_range=1": peak_signal_noise_ratio(below, noisy, data_range=1),
}
for title, value in found.items():
    print(f"{title}: {value:.2f} dB")
plain, jumped, *others = found.values()
raise SystemExit(0 if abs(jumped - plain - 6.02) < 0.01 and all(abs(value - plain) < 0.01 for value in others) else 1)
PYTHON
