"""Recognise recordings and corpora: transcripts, vocabularies, results in every format."""
