"""Encoders made of named blocks, heads, weights and checkpoints."""
