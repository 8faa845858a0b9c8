"""Make a trained model better for one speaker (or channel), and say honestly what it bought."""
