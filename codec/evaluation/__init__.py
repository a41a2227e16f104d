"""Evaluation of codecs. Imports go down only: `report -> run -> codecs -> metrics`."""
