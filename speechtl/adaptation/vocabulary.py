"""Words of the transcripts that the lexicon does not have."""

from collections.abc import Sequence
from pathlib import Path

from speechtl.data.datadir import DataDir
from speechtl.errors import LexiconError, list_problems
from speechtl.exchange.read_source import read_tables
from speechtl.g2p.new_words import Pronouncer, parse_new_words
from speechtl.lang.lexicon import Lexicon, Notation
from speechtl.lang.missing_words import in_known_spelling, spelling_hint
from speechtl.lang.phone_inventory import PhoneInventory


def new_words(
    lexicon: Lexicon,
    inventory: PhoneInventory,
    words: Sequence[str],
    guess: Pronouncer | None,
    notation: Notation,
    transcripts: Path | None,
) -> Lexicon | None:
    """Return pronunciations of new words, in the model's phones.

    Args:
        lexicon: that lacks them.
        inventory: the model's phones.
        words: ``WORD=PHONES``, or ``WORD`` to be guessed.
        guess: what guesses pronunciations, or None.
        notation: how ``words`` write phones.
        transcripts: recordings, the out-of-vocabulary words of whose transcripts are guessed too; None for none.

    Returns:
        None if there are no new words.

    Raises:
        LexiconError: words that cannot be read or guessed, all listed.
    """
    wanted = list(words)
    if transcripts is not None:
        named = {word.partition("=")[0].strip() for word in words}
        texts, _ = in_known_spelling(read_tables(transcripts).text, {*lexicon.words, *named})
        spoken = {word for text in texts.values() for word in text.split()}
        wanted += sorted(spoken - set(lexicon.words) - named)
    if not wanted:
        return None
    added = Lexicon()
    for new in parse_new_words(wanted, guess, inventory, notation=notation):
        for option in new.pronunciations:
            added.add(new.word, option.phones)
    return added


def with_known_words(data: DataDir, lexicon: Lexicon | None, phones: tuple[str, ...], warnings: list[str]) -> DataDir:
    """Leave out utterances with words (or, without a lexicon, phones) that the model knows nothing about.

    Args:
        data: with transcripts.
        lexicon: of the words; None where transcripts are phones.
        phones: of the model.
        warnings: what was left out is added here.

    Raises:
        LexiconError: nothing is left.
    """
    known = set(phones) if lexicon is None else set(lexicon.words)
    unknown: dict[str, list[str]] = {}
    for name, text in data.text.items():
        for word in text.split():
            if word not in known:
                unknown.setdefault(word, []).append(name)
    if not unknown:
        return data
    affected = {name for names in unknown.values() for name in names}
    lines = [f"{word} (in {names[0]}{spelling_hint(word, known)})" for word, names in sorted(unknown.items())]
    what = "words that the lexicon lacks" if lexicon is not None else "phones that the model lacks"
    advice = "; have them guessed (--g2p) or write them (--add-word WORD=PHONES)" if lexicon is not None else ""
    if len(affected) == len(data):
        raise LexiconError(list_problems(f"{data.path}: every transcript has {what}{advice}", lines))
    heading = f"{len(affected)} of {len(data)} recordings are left out, since they have {what}{advice}:"
    warnings.append(list_problems(heading, lines, limit=20))
    kept = data.select(name for name in data.utterance_ids if name not in affected)
    kept.save(data.path)
    return DataDir.load(data.path)
