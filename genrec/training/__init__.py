"""Fine-tuning: texts -> batches -> loop -> checkpoint, by one of three backends."""
