"""Amazon review data: reviews and metadata of one category -> interactions."""
