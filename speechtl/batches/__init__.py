"""Input pipelines: sources, length buckets, SpecAugment, batches."""
