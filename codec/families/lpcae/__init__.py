"""The LPCAE family: a Laplacian pyramid coded level by level, one layer of the file per resolution."""
