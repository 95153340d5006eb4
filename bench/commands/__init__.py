"""Groups of commands of the `genrec-bench` command line."""
