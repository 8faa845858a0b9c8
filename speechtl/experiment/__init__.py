"""A trained experiment: its config, its directory, its training and its model."""
