"""The codecs that a report can measure: ours, those of Pillow, command lines, CompressAI's models."""
