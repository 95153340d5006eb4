"""Commands of the generative recommenders under `genrec-bench`."""
