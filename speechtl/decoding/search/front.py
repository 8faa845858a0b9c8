"""The tokens of a frame, and what moves on from them, as tables that kernels fill."""

from typing import NamedTuple

import numpy as np

# Columns of tokens: where a token is, the entries of its state that are below it, and its links.
NODE, UNIT, FIRST_CHILD, LAST_CHILD, LOW, HIGH, LINK, BLANK_LINK = range(8)
# Columns of groups: all tokens of one history, the one at the root in the group itself.
HISTORY, FIRST, LAST, BEFORE, ROOT_LINK, ROOT_BLANK_LINK, ROOT_SECOND_LINK = range(7)
# Columns of scores, of tokens and of groups.
PHONE, BLANK, AHEAD, SECOND = range(4)
# Columns of moves; those of scores are PHONE and AHEAD.
MOVE_NODE, MOVE_LOW, MOVE_HIGH, MOVE_LINK = range(4)
# What is counted in a front.
TOKENS, GROUPS = range(2)
# In BEFORE: no phone was just spoken.
NO_PHONE = -1


class Front(NamedTuple):
    """All tokens of a frame."""

    tokens: np.ndarray
    """``(tokens, 8)`` int32."""
    scores: np.ndarray
    """``(tokens, 3)`` float64: PHONE, BLANK and AHEAD."""
    groups: np.ndarray
    """``(groups, 7)`` int32."""
    group_scores: np.ndarray
    """``(groups, 4)`` float64."""
    counts: np.ndarray
    """``(2,)`` int64: TOKENS and GROUPS in use."""


class Moves(NamedTuple):
    """What moves on in a frame."""

    ranges: np.ndarray
    """``(groups, 2)`` int32: where each group's moves are, in the order of nodes."""
    places: np.ndarray
    """``(moves, 4)`` int32."""
    scores: np.ndarray
    """``(moves, 3)`` float64: PHONE and AHEAD."""
    used: np.ndarray
    """``(1,)`` int64: moves in use."""


class Settings(NamedTuple):
    """How the search prunes."""

    beam: float
    """Tokens this much below the best are dropped."""
    blank_margin: float
    """Where the blank is better than every phone by more, or by more than the beam, nothing else counts."""
    max_active: int
    """Largest number of tokens that survive a frame."""
    beam_delta: float
    """Where they were more, the beam of the next frame is as wide as they are, and so much wider."""
    sequences: bool
    """True keeps histories of different words apart, for N-best lists."""


class Frame(NamedTuple):
    """A frame of the search."""

    number: int
    row: np.ndarray
    """``(units,)`` float32: its scores, unit 0 the blank."""
    likeliest: float
    """The best score of its phones."""
    threshold: float
    """Tokens below it neither move on nor stay."""
