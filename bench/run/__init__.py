"""One run: the models there are, the sequence of a run, the pytest session around it."""
