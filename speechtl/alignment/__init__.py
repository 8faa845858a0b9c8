"""CTC alignment, forced alignment of a corpus, boundary refinement."""
