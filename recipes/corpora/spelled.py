"""Pronunciations by a table of letters, for spelling that says how a word is spoken. Standard library only."""

from pathlib import Path

from data_dirs import fail, read_lines


def read_letters(path: Path) -> dict[str, list[str]]:
    """Read a table: letters and their phones, a tab between; the phones may be absent, which are silent letters."""
    table, problems = {}, []
    for number, line in enumerate(read_lines(path), 1):
        letters, tab, phones = line.partition("\t")
        if line.startswith("#"):
            continue
        if not tab or letters in table:
            problems.append(f"{path}:{number}: expected new letters and phones with a tab between (got '{line}')")
        else:
            table[letters] = phones.split()
    if problems:
        fail("\n".join(problems))
    return table


def phones_of(word: str, table: dict[str, list[str]]) -> list[str]:
    """Return the phones of a word, the longest letters of the table first; empty if it has a letter that is in none."""
    longest = max(map(len, table))
    phones: list[str] = []
    while word:
        size = next((size for size in range(min(longest, len(word)), 0, -1) if word[:size] in table), 0)
        if not size:
            return []
        phones += table[word[:size]]
        word = word[size:]
    return phones
