"""Super-resolution networks: small picture in, picture of two, three, four or eight times the sides out.

```
light.py      light: the small network of this package
folded.py     stage: a smaller one for RGB, on blocks of 2 x 2 pixels
lapsrn.py     LapSRN, MS-LapSRN, CMS-LapSRN: luma, one level for each doubling
lpn.py        LPN: RGB, a ladder of pathways over four resolutions
wavelet.py    WaveSR, WSR, LPSR: RGB, the bands of a wavelet packet, WAE or LPAE
```

network.py is the base of all of them. catalogue.py builds them by name, upscaler.py enlarges pictures with them;
training.py, losses.py and stage.py train them.
"""
