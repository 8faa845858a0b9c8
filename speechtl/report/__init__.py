"""Plots and one page per experiment."""
