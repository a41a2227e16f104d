"""Code a NumPy array and measure what comes back: `python arrays.py`.

An array is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), of uint8 or uint16.
"""

import numpy as np

import lpcodec

rows, columns = np.mgrid[0:96, 0:128]
smooth = np.stack([2 * columns, 2 * rows, rows + columns], axis=-1)
original = np.clip(smooth + np.random.default_rng(0).normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)

data = lpcodec.encode(original, quality=60)
decoded = np.asarray(lpcodec.decode(data))

error = np.mean((decoded.astype(float) - original) ** 2)
psnr = float("inf") if error == 0 else 10 * np.log10(255**2 / error)
print(f"{original.shape} {original.dtype}, {original.nbytes:,} bytes -> {len(data):,} bytes, {psnr:.2f} dB")
