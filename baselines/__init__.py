"""The four training-free baselines."""
