"""Kaldi data directories: tables, validation, subsets, splits, speed perturbation."""
