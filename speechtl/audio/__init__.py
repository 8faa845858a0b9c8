"""Audio in: files, streams, resampling, voice activity detection."""
