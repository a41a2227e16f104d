"""The report's output: a folder with a page, plots, tables and pictures, made of `Results`."""
