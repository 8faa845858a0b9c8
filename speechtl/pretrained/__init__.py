"""Names to experiment directories: encoders that others have trained, imported as sources to transfer from."""
