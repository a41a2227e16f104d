"""The tables of the pages, a module for each subject; `python benchmarks/tables.py` writes them."""
