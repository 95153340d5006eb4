"""A result on disk: its schema, how it is written once and read, checked, listed and tabulated."""
