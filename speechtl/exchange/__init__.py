"""Data of other tools: tables, manifests and folders of audio, read into data directories and written from them."""
