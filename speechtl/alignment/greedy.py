"""The phones of an utterance without any lexicon."""

import numpy as np

from speechtl.lang.phones import PhoneInventory


def greedy_phones(log_posteriors: np.ndarray, inventory: PhoneInventory) -> list[str]:
    """Take the best unit of every frame, merge repeats and drop blanks (best-path decoding, Graves et al. 2006).

    Args:
        log_posteriors: ``(frames, units)``, unit 0 the blank.
        inventory: the phones of units 1, 2, ...
    """
    if not len(log_posteriors):
        return []
    return inventory.decode(merge_repeats(np.argmax(log_posteriors, axis=1)))


def merge_repeats(units: np.ndarray) -> list[int]:
    """Turn the unit of every frame ``(frames,)`` into units: one per run of equal ones, without blanks."""
    units = np.asarray(units)
    first = np.ones(len(units), dtype=bool)
    first[1:] = units[1:] != units[:-1]
    return [int(unit) for unit in units[first] if unit]
