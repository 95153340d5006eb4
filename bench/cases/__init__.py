"""What `pytest bench --benchmark` runs: models on a data set, and speed cases."""
