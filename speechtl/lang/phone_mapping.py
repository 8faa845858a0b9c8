"""Replace phones that a model lacks by the nearest that it has."""

import functools
import logging
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from speechtl.errors import LexiconError, list_problems
from speechtl.lang.ipa import normalise_ipa, split_ipa
from speechtl.lang.ipa_chart import chart_distance, is_vowel, read_chart_phone
from speechtl.lang.ipa_symbols import TIE
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.sounds import sounds_of

MissingPhones = Literal["nearest", "refuse"]
logger = logging.getLogger(__name__)

# What two phones in place of one cost beside their distance from the two parts: a diphthong is served best by its own
# two vowels, an affricate by another affricate of the same voice.
_SPLIT_VOWEL, _SPLIT_CONSONANT = 0.05, 0.1
# What leaving a glottal stop out costs: less than any phone that is made elsewhere.
_NO_GLOTTAL_STOP = 0.2
_TWO_IN_ONE = {"ɚ": ("ə", "ɹ"), "ɝ": ("ɜ", "ɹ"), "ɲ": ("n", "j"), "ʎ": ("l", "j")}
_SYLLABIC = "\u0329"


def map_to_inventory(phones: Sequence[str], inventory: PhoneInventory) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Replace each phone that an inventory lacks by the nearest that it has.

    Phones of the inventory stay as they are. For the others, stress, tone and length go first; a unit of several
    sounds is taken apart (``ʃi``, ``ɔːɹ``, see ``sounds``); a diphthong, an affricate, a rhotic vowel, ɲ, ʎ or a
    syllabic consonant may become two phones where these are nearer than any one phone (by
    ``ipa_chart.chart_distance``). A tone that is a separate phone is left out, and so is a glottal stop where there is
    nothing like it.

    Args:
        phones: IPA phones.
        inventory: what the result may have in it.

    Returns:
        The phones of the inventory, and each replaced phone once with what stands for it: a phone, several phones with
        spaces between them, or nothing.

    Raises:
        LexiconError: lists the phones that are not IPA; or nothing is left; or the inventory has no IPA phone in it.
    """
    result: list[str] = []
    replaced: dict[str, str] = {}
    problems = []
    for phone in phones:
        if phone in inventory:
            result.append(phone)
            continue
        try:
            replacement = _replace(phone, inventory)
        except LexiconError as error:
            problems.append(str(error))
            continue
        replaced[phone] = " ".join(replacement)
        result += replacement
    if problems:
        problems = list(dict.fromkeys(problems))
        heading = f"'{' '.join(phones)}': {len(problems)} phones cannot be mapped:"
        raise LexiconError(problems[0] if len(problems) == 1 else list_problems(heading, problems))
    if not result:
        raise LexiconError(f"'{' '.join(phones)}': no phones are left in the model's inventory; give some that it has")
    return tuple(result), list(replaced.items())


def map_lexicon(lexicon: Lexicon, inventory: PhoneInventory) -> tuple[Lexicon, dict[str, str]]:
    """Replace the phones of a whole lexicon that an inventory lacks, see ``map_to_inventory``.

    Pronunciations of a word that become the same are one; it keeps the higher probability.

    Returns:
        The new lexicon, and each replaced phone with what stands for it.

    Raises:
        LexiconError: lists the phones that are not IPA with the words that need them, and the words that have no
            phones left.
    """
    needed = dict.fromkeys(
        phone for options in lexicon.entries.values() for option in options for phone in option.phones
    )
    replaced = {}
    problems = []
    for phone in sorted(needed):
        if phone not in inventory:
            try:
                replaced[phone] = _replace(phone, inventory)
            except LexiconError as error:
                words = lexicon.words_with(phone)
                more = f" and {len(words) - 5} more words" if len(words) > 5 else ""
                problems.append(f"{error}; needed by: {' '.join(words[:5])}{more}")
    result = Lexicon()
    if not problems:
        for word, options in lexicon.entries.items():
            for option in options:
                phones = [new for phone in option.phones for new in replaced.get(phone, (phone,))]
                if phones:
                    result.add(word, phones, option.probability)
                else:
                    problems.append(f"'{word}': no phones are left of '{' '.join(option.phones)}'")
    if problems:
        raise LexiconError(list_problems("the lexicon cannot be mapped to the model's phones:", problems))
    return result, {phone: " ".join(replacement) for phone, replacement in replaced.items()}


def fit_lexicon(lexicon: Lexicon, inventory: PhoneInventory, missing: MissingPhones = "nearest") -> Lexicon:
    """Return a lexicon in the phones of a model, for every verb alike; what was replaced is logged once.

    Args:
        lexicon: any.
        inventory: the model's phones.
        missing: phones that the model lacks are replaced by the ``"nearest"``, or ``"refuse"``d.

    Raises:
        LexiconError: see ``map_lexicon``; or phones that the model lacks are refused.
    """
    if missing == "refuse":
        require_phones(lexicon, inventory)
    words, replaced = map_lexicon(lexicon, inventory)
    if replaced:
        logger.info(f"lexicon: {describe_replacements(replaced)}")
    return words


def require_phones(lexicon: Lexicon, inventory: PhoneInventory) -> None:
    """Check that a model has all phones of a lexicon.

    Raises:
        LexiconError: lists the phones that it lacks, with the nearest that it has.
    """
    problems = lexicon.check(inventory)
    if problems:
        heading = "the model lacks phones of the lexicon; write these words with the model's phones or leave them out:"
        raise LexiconError(list_problems(heading, problems))


def describe_replacements(replacements: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Say in one line what was replaced; empty for no replacements."""
    pairs = list(replacements.items()) if isinstance(replacements, Mapping) else list(replacements)
    if not pairs:
        return ""
    shown = ", ".join(f"{phone} -> {new}" if new else f"{phone} left out" for phone, new in pairs)
    return f"phones that the model lacks, as the nearest that it has: {shown}"


@functools.lru_cache(maxsize=10_000)
def _replace(phone: str, inventory: PhoneInventory) -> tuple[str, ...]:
    spelled = normalise_ipa(phone)
    if spelled in inventory:
        return (spelled,)
    if not split_ipa(phone, tone="drop"):
        return ()
    sounds = sounds_of(phone)
    if len(sounds) > 1:
        return tuple(new for sound in sounds for new in _replace(sound, inventory))
    (phone,) = sounds
    if phone in inventory:
        return (phone,)
    best, cost = _nearest(phone, inventory)
    if read_chart_phone(phone).letters == ("ʔ",) and cost > _NO_GLOTTAL_STOP:
        return ()
    parts, penalty = _parts(phone)
    if parts:
        pairs = [_nearest(part, inventory) for part in parts]
        split_cost = penalty + sum(distance for _, distance in pairs) / len(pairs)
        if split_cost < cost:
            return tuple(new for new, _ in pairs)
    return (best,)


def _nearest(phone: str, inventory: PhoneInventory) -> tuple[str, float]:
    """Return the nearest phone; among equals one of the same tone and stress, then the first of the inventory."""
    distances = []
    read_chart_phone(phone)
    for other in inventory:
        try:
            distance = chart_distance(phone, other)
        except LexiconError:
            # A tone, or a symbol for noise that is not IPA, is like no phone.
            continue
        distances.append((distance, _suprasegmentals(other) != _suprasegmentals(phone), other))
    if not distances:
        raise LexiconError(f"'{phone}': the inventory has no IPA phone in it that could stand for it")
    distance, _, best = min(distances, key=lambda candidate: candidate[:2])
    return best, distance


def _suprasegmentals(phone: str) -> str:
    bare = "".join(split_ipa(phone, stress="drop", tone="drop"))
    return "".join(character for character in phone if character not in bare)


def _parts(phone: str) -> tuple[tuple[str, ...], float]:
    """Return the two phones that make up a phone, and the cost of splitting it; nothing for a simple one."""
    (bare, *_) = split_ipa(phone, stress="drop", tone="drop")
    penalty = _SPLIT_VOWEL if is_vowel(read_chart_phone(bare)) else _SPLIT_CONSONANT
    decomposed = unicodedata.normalize("NFD", bare)
    first, tie, second = decomposed.partition(TIE)
    if tie:
        return (normalise_ipa(first), normalise_ipa(second)), penalty
    if _SYLLABIC in decomposed:
        return ("ə", normalise_ipa(decomposed.replace(_SYLLABIC, ""))), penalty
    if decomposed[0] in _TWO_IN_ONE:
        return _TWO_IN_ONE[decomposed[0]], _SPLIT_VOWEL
    return (), 0.0
