"""What in a data set and its split helps or misleads, in plain words."""
