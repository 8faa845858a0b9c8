"""Acceptors in OpenFst's text format."""

import math
import re

from speechtl.errors import LexiconError, list_problems
from speechtl.grammar.automaton import Automaton

_SILENT = {"<eps>", "<epsilon>"}
# Two states and a word, or one state alone with or without a cost.
_FIRST_LINE = re.compile(r"\s*\d+([ \t]+\d+[ \t]+\S.*|[ \t]+[-+.\deE]+|[ \t]+(-|\+)?[Ii]nf(inity)?)?[ \t]*\r?(\n|$)")


def looks_like_fst_text(text: str) -> bool:
    """Whether the first line that is not blank is an arc or a final state."""
    return _FIRST_LINE.match(text) is not None


def read_fst_text(text: str, origin: str) -> Automaton:
    """Read an acceptor of words: ``from to word [word] [cost]`` and ``state [cost]``, costs negated natural logarithms.

    The state of the first line is the start. ``<eps>`` is no word. Where no line has five fields, the fourth one is a
    cost if it is a number in every line and not always the word once more.

    Args:
        text: of the file.
        origin: the file, for messages.

    Raises:
        LexiconError: lists every bad line as ``file:line``.
    """
    lines = [(number, line.split()) for number, line in enumerate(text.split("\n"), start=1)]
    lines = [(number, fields) for number, fields in lines if fields]
    four = [fields for _, fields in lines if len(fields) == 4]
    two_words = any(len(fields) == 5 for _, fields in lines) or any(_cost(fields[3]) is None for fields in four)
    two_words = two_words or (bool(four) and all(fields[2] == fields[3] for fields in four))
    problems: list[str] = []
    automaton = Automaton()
    states: dict[str, int] = {}

    def state(name: str) -> int:
        if name not in states:
            states[name] = automaton.add_state()
        return states[name]

    for number, fields in lines:
        problem = _problem(fields, two_words)
        if problem:
            problems.append(f"{origin}:{number}: {problem}")
        elif len(fields) <= 2:
            cost = _cost(fields[1]) if len(fields) == 2 else 0.0
            last = state(fields[0])
            automaton.final[last] = min(automaton.final.get(last, math.inf), cost if cost is not None else math.inf)
        else:
            word = None if fields[2] in _SILENT else fields[2]
            with_cost = len(fields) == (5 if two_words else 4)
            cost = _cost(fields[-1]) if with_cost else 0.0
            automaton.add_arc(state(fields[0]), word, cost if cost is not None else math.inf, state(fields[1]))
    if not lines:
        problems.append(f"{origin}:1: no arcs; expected lines 'from to word [cost]' and 'state [cost]'")
    if problems:
        raise LexiconError(list_problems(f"{origin}: not an acceptor in OpenFst's text format:", problems))
    return automaton


def _problem(fields: list[str], two_words: bool) -> str | None:
    """Return what is wrong with a line, if anything is."""
    if len(fields) > 5:
        return f"{len(fields)} fields (expected from, to, word, perhaps the word again and a cost; or state and cost)"
    is_arc = len(fields) > 2
    for name in fields[: 1 + is_arc]:
        if not (name.isascii() and name.isdigit()):
            return f"state '{name}' is not a number (expected 0, 1, 2, ...)"
    if is_arc and two_words and len(fields) > 3 and fields[2] != fields[3]:
        return (
            f"the words '{fields[2]}' and '{fields[3]}' of one arc differ; grammars are acceptors: "
            "fstproject the transducer to its words"
        )
    if len(fields) == 2 or len(fields) == (5 if two_words else 4):
        cost = _cost(fields[-1])
        if cost is None or math.isnan(cost) or cost == -math.inf:
            return f"cost '{fields[-1]}' is not a number above -infinity"
    return None


def _cost(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None
