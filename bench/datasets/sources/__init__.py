"""Readers of published data beside Amazon's: files in the layouts of their source -> interactions."""
