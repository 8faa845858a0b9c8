"""The compiled kernel of the lexicon decoder: token passing over a prefix tree."""
