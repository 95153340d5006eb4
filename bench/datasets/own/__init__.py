"""A user's own tables -> a data set like any other: what is guessed, what is wrong, what is kept."""
