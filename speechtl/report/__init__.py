"""Pictures, and one HTML page per experiment."""
