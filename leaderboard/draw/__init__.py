"""Charts and page components."""
