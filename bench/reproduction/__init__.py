"""Published figures computed again, with the reason for each difference."""
