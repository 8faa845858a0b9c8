"""Grapheme-to-phoneme conversion: joint-sequence models, spelling rules, new words."""
