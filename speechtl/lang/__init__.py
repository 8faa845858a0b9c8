"""Phones, pronunciation lexicons and word grammars."""
