"""From recordings of any length to words with times."""
