#!/bin/sh
# OpenCV writes JPEG 2000 at a quarter of the raw size, though its default is documented as the whole rate.
#
# Versions: opencv-python-headless 5.0.0.93, numpy 2.4.6.
# Input: noisy ramps, 8-bit grey and colour and 16-bit grey, written by `cv2.imencode(".jp2", picture)`, without options, and
#   with IMWRITE_JPEG2000_COMPRESSION_X1000 of 1000 and of 250.
# Expected: no option and 1000 give the same file: OpenCV's documentation of that option (imgcodecs.hpp of version 4) says that it
#   goes from 0 to 1000 and that the default is 1000.
# Seen: 1000 is lossless. Without an option the file is, byte for byte, the one of 250: a quarter of the raw size, with values
#   up to 11 levels off in 8 bits, and up to 206 in 16 bits. Nothing says so. Colour is coded without a transform between the
#   components, and no option asks for one: three equal channels take 2.99 times the bytes of one.
# So an archive of deep pictures in .jp2 has lost bits without a word, and JPEG 2000 by OpenCV is a weak rival in comparisons.
#   Give the option, or write with Pillow or imagecodecs, which are lossless unless asked otherwise. Issue 20527 of
#   opencv/opencv has reported the default since 2021.
#
# Exits with 0 if this is still what is seen, with 1 if the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np

print("OpenCV", cv2.__version__)
SIDE = 256
rows, columns = np.mgrid[0:SIDE, 0:SIDE]
generator = np.random.default_rng(0)
grey = ((rows + columns) // 2 + generator.integers(-8, 9, rows.shape)).clip(0, 255).astype(np.uint8)
pictures = {
    "8-bit grey": grey,
    "8-bit, three equal channels": np.repeat(grey[..., None], 3, 2),
    "16-bit grey": (rows * 127 + columns * 128 + generator.integers(-800, 801, rows.shape)).clip(0, 65535).astype(np.uint16),
}


def coded(picture, thousandths):
    options = [] if thousandths is None else [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, thousandths]
    done, data = cv2.imencode(".jp2", picture, options)
    assert done
    return data.tobytes(), int(np.abs(cv2.imdecode(data, cv2.IMREAD_UNCHANGED).astype(np.int64) - picture).max())


same = True
lossless = {}
for title, picture in pictures.items():
    (plain, plain_off), (whole, whole_off), (quarter, _) = (coded(picture, t) for t in (None, 1000, 250))
    lossless[title] = len(whole)
    print(f"{title}, {picture.nbytes} bytes: no option {len(plain)} bytes, at most {plain_off} off;", end=" ")
    print(f"1000: {len(whole)}, at most {whole_off} off; no option is the file of 250: {plain == quarter}")
    same &= plain == quarter and plain_off > 0 and whole_off == 0 and abs(4 * len(plain) / picture.nbytes - 1) < 0.05
triple = lossless["8-bit, three equal channels"] / lossless["8-bit grey"]
print(f"three equal channels take {triple:.2f} times the bytes of one, lossless")
raise SystemExit(0 if same and triple > 2.9 else 1)
PYTHON
