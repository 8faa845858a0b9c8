"""Convert reference words to phones, using the pronunciation variants that best match the hypothesis."""

from collections.abc import Mapping, Sequence

import numpy as np

from speechtl.lang.lexicon import Lexicon
from speechtl.scoring.error_rate import split_words


def reference_phones(references: Mapping[str, str], hypotheses: Mapping[str, str], lexicon: Lexicon) -> dict[str, str]:
    """Convert references to phones, each word in the pronunciation that best matches the hypothesis.

    Args:
        references: utterance -> words.
        hypotheses: utterance -> phones; a missing one counts as empty.
        lexicon: pronunciations of all words of the references.

    Returns:
        Utterance -> phones, separated by blanks.

    Raises:
        LexiconError: lists every word that is not in the lexicon.
    """
    words = {utterance: split_words(text) for utterance, text in references.items()}
    # Raises an error that lists the unknown words of all utterances.
    lexicon.phones_of([word for sentence in words.values() for word in sentence])
    return {
        utterance: " ".join(best_pronunciation(sentence, split_words(hypotheses.get(utterance, "")), lexicon))
        for utterance, sentence in words.items()
    }


def best_pronunciation(words: Sequence[str], phones: Sequence[str], lexicon: Lexicon) -> list[str]:
    """Choose a pronunciation of each word so that the edit distance of the sentence to ``phones`` is minimal.

    The search is exact, by dynamic programming over all choices. Ties are resolved in the order of the lexicon.

    Args:
        words: the sentence.
        phones: the phones of the hypothesis.
        lexicon: pronunciations of all words.

    Raises:
        LexiconError: a word is not in the lexicon.
    """
    options = [[option.phones for option in lexicon.pronounce(word)] for word in words]
    if all(len(variants) == 1 for variants in options):
        return [phone for (variant,) in options for phone in variant]
    ids = {phone: number for number, phone in enumerate(dict.fromkeys(phones))}
    found = np.array([ids[phone] for phone in phones], dtype=np.int64)
    positions = np.arange(len(found) + 1, dtype=np.int64)
    # edits[j]: edit distance between the words so far and the first j phones of the hypothesis.
    edits = positions.copy()
    # Per word and j: the variant chosen, and where in the hypothesis the word begins.
    choices: list[tuple[np.ndarray, np.ndarray]] = []
    for variants in options:
        rows = [_extend(edits, variant, ids, found) for variant in variants]
        costs = np.stack([cost for cost, _ in rows])
        chosen = costs.argmin(axis=0)
        choices.append((chosen, np.stack([origin for _, origin in rows])[chosen, positions]))
        edits = costs.min(axis=0)
    place = len(found)
    best: list[Sequence[str]] = []
    for (chosen, origins), variants in zip(reversed(choices), reversed(options)):
        best.append(variants[chosen[place]])
        place = int(origins[place])
    return [phone for variant in reversed(best) for phone in variant]


def _extend(
    edits: np.ndarray, variant: Sequence[str], ids: Mapping[str, int], found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Extend a row of the edit-distance matrix by the phones of one pronunciation.

    Returns:
        The new row, and for each position where the pronunciation begins, both ``(hypothesis phones + 1,)``.
    """
    scale = len(edits)
    positions = np.arange(scale, dtype=np.int64)
    # Cost and origin in one number: the lower cost wins, then the earlier origin.
    packed = edits * scale + positions
    for phone in variant:
        different = found != ids.get(phone, -1)
        following = packed + scale
        following[1:] = np.minimum(following[1:], packed[:-1] + scale * different)
        # Each inserted phone costs 1: a running minimum after subtracting that slope.
        packed = np.minimum.accumulate(following - scale * positions) + scale * positions
    return packed // scale, packed % scale
