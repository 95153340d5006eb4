"""One family a file: ranking, diversity, slices of users; and audits of whole sets of lists."""
