"""From posteriors to phones and words."""
