"""A submitted file, whatever its format and shape, as a table of named columns; nothing is trusted."""

from bench.submission.reading.formats import FORMATS, open_table

__all__ = ["FORMATS", "open_table"]
