"""Numbers that others published, with source and protocol, beside ours."""
