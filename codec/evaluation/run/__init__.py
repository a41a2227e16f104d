"""A measurement: pictures and codecs in, the document of a report out."""
