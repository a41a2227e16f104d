"""The WCAE family: the wavelet autoencoders of Akyazi & Ebrahimi (CLIC 2019), one set of weights per rate."""
