"""Utterances and words made of pieces of recorded speech."""
