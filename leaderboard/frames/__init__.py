"""Rows of figures, as data: board, run, lists, cost."""
