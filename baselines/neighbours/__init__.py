"""What the training-free rows share: item-to-item tables, and lists made from them for a whole history."""
