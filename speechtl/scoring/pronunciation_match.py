"""Turn reference words into phones by the pronunciation that was spoken, as far as the hypothesis shows it."""

from collections.abc import Mapping, Sequence

import numpy as np

from speechtl.lang.lexicon import Lexicon
from speechtl.scoring.error_rate import split_words


def reference_phones(references: Mapping[str, str], hypotheses: Mapping[str, str], lexicon: Lexicon) -> dict[str, str]:
    """Write references as phones, each word in the pronunciation that matches the hypothesis best.

    Args:
        references: utterance -> words.
        hypotheses: utterance -> phones; a missing one counts as empty.
        lexicon: pronunciations of all words of the references.

    Returns:
        Utterance -> phones, with blanks between them.

    Raises:
        LexiconError: lists every word that is not in the lexicon.
    """
    words = {utterance: split_words(text) for utterance, text in references.items()}
    # Fails with all unknown words of all utterances.
    lexicon.phones_of([word for sentence in words.values() for word in sentence])
    return {
        utterance: " ".join(best_pronunciation(sentence, split_words(hypotheses.get(utterance, "")), lexicon))
        for utterance, sentence in words.items()
    }


def best_pronunciation(words: Sequence[str], phones: Sequence[str], lexicon: Lexicon) -> list[str]:
    """Choose a pronunciation of each word so that all of them together need the fewest edits to become ``phones``.

    The search is exact: a dynamic programme over all choices at once. Equal choices: the pronunciation that the lexicon
    names first.

    Args:
        words: the sentence.
        phones: the phones found.
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
    # edits[j]: fewest edits between the words so far and the first j phones found.
    edits = positions.copy()
    # Per word and j: the variant chosen, and where in the phones found the word began.
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
    """Add the phones of one pronunciation to the rows of the edit distance.

    Returns:
        The new row, and for each of its places where the pronunciation began, both ``(phones found + 1,)``.
    """
    scale = len(edits)
    positions = np.arange(scale, dtype=np.int64)
    # Cost and origin in one number: the smaller cost wins, then the earlier origin.
    packed = edits * scale + positions
    for phone in variant:
        different = found != ids.get(phone, -1)
        following = packed + scale
        following[1:] = np.minimum(following[1:], packed[:-1] + scale * different)
        # An insertion costs 1 for each phone found: a running minimum once that slope is taken off.
        packed = np.minimum.accumulate(following - scale * positions) + scale * positions
    return packed // scale, packed % scale
