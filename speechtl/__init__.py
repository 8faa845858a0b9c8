"""Speech transfer learning: adapt speakers, share languages, decode words that training never had."""

__version__ = "0.1.0"
