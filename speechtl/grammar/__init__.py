"""Language models and grammars: everything that becomes a word automaton."""
