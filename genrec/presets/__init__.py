"""YAML presets of the generative recommenders."""
