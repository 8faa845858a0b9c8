"""Tell what a file is as a whole where it is no lexicon in the notation that was expected."""

from collections.abc import Sequence

from speechtl.lang.lexicon_columns import is_decimal, is_noise
from speechtl.lang.notations import is_arpabet


def mistaken_for_lexicon(entries: Sequence[Sequence[str]], notation: str) -> str:
    """Say in one line what is wrong with all lines of a file alike, and what to do; empty where they differ.

    Args:
        entries: the fields of its lines, the word first, without comments and empty lines.
        notation: how phones were expected to be written.
    """
    if entries and all(len(fields) == 1 for fields in entries):
        return (
            "words alone, without phones; have them guessed, by spelling rules (--rules LANGUAGE) or by a model of "
            "speechtl lexicon g2p (--g2p FILE), or add the phones: 'word phone phone ...'"
        )
    spoken = [fields for fields in entries if not is_noise(fields[0], fields[1:])]
    phones = {field for fields in spoken for field in fields[1:] if not is_decimal(field)}
    if notation == "ipa" and phones and all(map(is_arpabet, phones)):
        shown = " ".join(next(fields for fields in spoken if len(fields) > 1))
        return (
            f"its phones are ARPABET ('{shown}'), where IPA is expected; give --notation arpabet, or convert the file: "
            "speechtl lexicon convert FILE NEW --notation arpabet"
        )
    return ""
