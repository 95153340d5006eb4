"""Prompts in, texts out, kept on disk: which strategy, and which texts are there already. Needs no torch."""
