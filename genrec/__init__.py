"""The generative recommender: serialize, fine-tune, generate, retrieve."""
