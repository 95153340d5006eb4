"""Rows made of other rows' lists: fused, compared hit by hit, and served in tiers."""
