"""The engineer's two-stage recommender: candidates of a cheap row, put in order by boosted trees."""
