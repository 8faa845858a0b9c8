"""The objective, the optimizer, the loop and its log."""
