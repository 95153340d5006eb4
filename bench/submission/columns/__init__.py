"""What the columns of a submitted table are: names, contents, roles, order, and their cells as arrays."""
