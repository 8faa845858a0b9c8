"""Adapt a model to one speaker with a few recordings, and report the measured gain."""
