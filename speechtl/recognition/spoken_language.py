"""What is known of the language of an utterance."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class SpokenLanguage:
    """The language of an utterance.

    Attributes:
        name: the language.
        probability: of all that were in question, in [0, 1], where it was recognised; None where it was given.
    """

    name: str
    probability: float | None = None


def describe_languages(spoken: Mapping[str, SpokenLanguage] | Sequence[SpokenLanguage]) -> str:
    """Return which languages there are in one line: ``en: 12 recognised (probability 0.98), de: 3 given``."""
    every = list(spoken.values() if isinstance(spoken, Mapping) else spoken)
    parts = []
    for (name, given), count in sorted(Counter((one.name, one.probability is None) for one in every).items()):
        sure = [one.probability for one in every if one.name == name and one.probability is not None]
        how = "given" if given else f"recognised (probability {sum(sure) / len(sure):.2f})"
        parts.append(f"{name}: {count} {how}")
    return ", ".join(parts)
