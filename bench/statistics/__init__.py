"""Intervals, paired tests, and what they say of two models or of a whole board."""
