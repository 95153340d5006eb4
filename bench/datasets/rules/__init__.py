"""What decides a split: its rule, the order of purchases of one time, who validates."""
