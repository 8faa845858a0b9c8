"""The phones of one utterance as a row of HMM states."""

import dataclasses
from typing import NamedTuple

import numpy as np

from speechtl.alignment.config import RefinementConfig
from speechtl.features.dct import cosine_transform

SILENCE = 0
"""Number of the silence in `Chain.phones`; phones are numbered from 1, as the units of a model are."""

# Entries of `Row.skip` that are no states.
NO_SKIP, MAY_START = -1, -2
# In `Row.owner`: a pause between phones.
PAUSE = -1


@dataclasses.dataclass(frozen=True)
class Chain:
    """The phones of one utterance and their approximate times.

    Attributes:
        features: ``(frames, values)`` float32, see `boundary_features`.
        phones: ``(phones,)`` numbers from 1; `SILENCE` for a silence that is not optional.
        starts: ``(phones,)`` first frame of each.
        ends: ``(phones,)`` one past its last frame.
        may_pause: ``(phones + 1,)`` whether there may be silence before each phone, and after the last.
    """

    features: np.ndarray
    phones: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    may_pause: np.ndarray


class Row(NamedTuple):
    """The states of an utterance in order of time, ``(states,)`` int32 each."""

    model: np.ndarray
    """Number of the state's distribution."""
    owner: np.ndarray
    """Index of its phone, `PAUSE` for a pause."""
    skip: np.ndarray
    """A state from which it may be entered besides itself and the state before it, `NO_SKIP` for none, `MAY_START` if
    the path may start here."""
    low: np.ndarray
    """First frame in which the state may be occupied."""
    high: np.ndarray
    """One past the last such frame."""
    finals: np.ndarray
    """``(finals,)`` the states in which the path may end."""


class _Stretch(NamedTuple):
    """The states of one phone or pause; ``skip`` is that of the first of them."""

    models: np.ndarray
    owner: int
    skip: int
    low: int
    high: int


def lay_out(chain: Chain, config: RefinementConfig) -> Row:
    """Return the states of an utterance: those of its phones, and of the optional pauses between them."""
    frames, stretches = len(chain.features), _stretches(chain, config)
    sizes = [len(stretch.models) for stretch in stretches]
    first = np.cumsum([0, *sizes[:-1]])
    skip = np.full(sum(sizes), NO_SKIP, np.int32)
    skip[first] = [stretch.skip for stretch in stretches]
    low = np.maximum.accumulate(np.clip(np.repeat([stretch.low for stretch in stretches], sizes), 0, frames))
    reversed_high = np.clip(np.repeat([stretch.high for stretch in stretches], sizes), 0, frames)[::-1]
    high = np.minimum.accumulate(reversed_high)[::-1]
    # Without pauses at the ends the first and the last phone reach there.
    low[: sizes[0]], high[-sizes[-1] :] = 0, frames
    last = len(skip) - 1
    return Row(
        np.concatenate([stretch.models for stretch in stretches]).astype(np.int32),
        np.repeat([stretch.owner for stretch in stretches], sizes).astype(np.int32),
        skip,
        low.astype(np.int32),
        high.astype(np.int32),
        np.array([last, last - config.silence_states] if chain.may_pause[-1] else [last], np.int32),
    )


def _stretches(chain: Chain, config: RefinementConfig) -> list[_Stretch]:
    quiet = np.arange(config.silence_states)
    count, frames = len(chain.phones), len(chain.features)
    result: list[_Stretch] = []
    states, last_of_phone = 0, NO_SKIP
    for number in range(count + 1):
        pause = bool(chain.may_pause[number])
        if pause:
            low = int(chain.ends[number - 1]) - config.reach if number else 0
            high = int(chain.starts[number]) + config.reach if number < count else frames
            result.append(_Stretch(quiet, PAUSE, NO_SKIP if number else MAY_START, low, high))
            states += len(quiet)
        if number == count:
            break
        phone = int(chain.phones[number])
        models = quiet if phone == SILENCE else phone_states(phone, config)
        skip = MAY_START if not number else last_of_phone if pause else NO_SKIP
        low, high = int(chain.starts[number]) - config.reach, int(chain.ends[number]) + config.reach
        result.append(_Stretch(models, number, skip, low, high))
        states += len(models)
        last_of_phone = states - 1
    return result


def phone_states(phone: int, config: RefinementConfig) -> np.ndarray:
    """Return the numbers of the distributions of a phone; the first ones are those of the silence."""
    return np.arange(config.states) + config.silence_states + (phone - 1) * config.states


def first_path(chain: Chain, config: RefinementConfig) -> np.ndarray:
    """Return the state in each frame ``(frames,)`` with every phone and pause divided evenly among its states."""
    path = np.zeros(len(chain.features), np.int32)
    count, position = len(chain.phones), 0
    edges = [0, *np.stack([chain.starts, chain.ends], axis=1).ravel().tolist(), len(chain.features)]
    for number in range(count + 1):
        for pause in (True, False):
            if (pause and not chain.may_pause[number]) or (not pause and number == count):
                continue
            begin, end = edges[2 * number + (not pause)], edges[2 * number + 1 + (not pause)]
            size = config.silence_states if pause or chain.phones[number] == SILENCE else config.states
            span = np.arange(max(end - begin, 0))
            path[begin : begin + len(span)] = position + span * size // max(len(span), 1)
            position += size
    # Frames that belong to nothing go to what is before them.
    return np.maximum.accumulate(path)


def boundary_features(cepstra: np.ndarray) -> np.ndarray:
    """Append first and second differences to cepstra (regression over two frames on either side, as HTK does).

    Args:
        cepstra: ``(frames, coefficients)``, normalised.

    Returns:
        float32 ``(frames, 3 · coefficients)``.
    """
    first = _slopes(cepstra)
    return np.concatenate([cepstra, first, _slopes(first)], axis=1, dtype=np.float32)


def _slopes(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
    return (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10


def cepstra_of_log_mel(log_mel: np.ndarray, coefficients: int = 13) -> np.ndarray:
    """Return the first coefficients of the orthonormal DCT-II of log mel energies ``(frames, bins)``."""
    return (log_mel @ cosine_transform(log_mel.shape[1], coefficients)).astype(np.float32)
