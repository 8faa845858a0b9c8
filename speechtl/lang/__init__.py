"""Phones, phone notations, articulatory features and pronunciation lexicons."""
