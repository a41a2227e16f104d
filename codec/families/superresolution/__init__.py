"""Super-resolution networks: small picture in, picture of two, three, four or eight times the sides out.

```
lapsrn.py     LapSRN, MS-LapSRN, CMS-LapSRN: luma, one level for each doubling
lpn.py        LPN: RGB, a ladder of pathways over four resolutions
wavelet.py    WaveSR, WSR, LPSR: RGB, the bands of a wavelet packet, WAE or LPAE
```

network.py has what all of them offer.
"""
