"""The rules of a JSGF grammar, and the automaton of their sentences."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Union

from speechtl.errors import LexiconError
from speechtl.grammar.automaton import MOST_STATES, Automaton

# A grammar that unfolds to more than this has a mistake, or needs another format.
_MOST_STATES = 1_000_000


@dataclasses.dataclass(frozen=True)
class Word:
    """One word."""

    text: str


@dataclasses.dataclass(frozen=True)
class Reference:
    """A reference to another rule, by its name without brackets."""

    name: str
    line: int


@dataclasses.dataclass(frozen=True)
class Series:
    """One thing after the other; nothing at all is ``<NULL>``."""

    items: tuple["Expansion", ...]


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of several, with their probabilities; no alternative at all is ``<VOID>``."""

    alternatives: tuple[tuple[float, "Expansion"], ...]


@dataclasses.dataclass(frozen=True)
class Repeat:
    """Any number of times, or once or more. After each time, going on is as likely as not."""

    item: "Expansion"
    at_least_once: bool


Expansion = Union[Word, Reference, Series, Choice, Repeat]  # noqa: UP007  (a name in quotes has no |)
NULL = Series(())
VOID = Choice(())


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule: its expansion, whether it is public, and its line."""

    body: Expansion
    public: bool
    line: int


def equally_likely(alternatives: Sequence[Expansion]) -> Choice:
    """Return a choice without preference."""
    probability = 1 / len(alternatives)
    return Choice(tuple((probability, item) for item in alternatives))


def automaton_of(rules: Mapping[str, Rule], origin: str, most_states: int = _MOST_STATES) -> Automaton:
    """Unfold rules into an automaton; its sentences are those of the public rules, all equally likely.

    A rule that ends in itself, at once or through others, becomes a loop. Costs are negated logarithms of
    probabilities.

    Args:
        rules: by name.
        origin: the file, for messages.
        most_states: of the automaton.

    Raises:
        LexiconError: a rule refers to itself in another place than its end, or there are too many states.
    """
    return _Unfolding(rules, origin, most_states).run()


class _Unfolding:
    """Builds backwards: the arcs of an expansion from a new state to a given one.

    A rule that leads to the same state twice is unfolded once, which is how right recursion closes its loop.
    """

    def __init__(self, rules: Mapping[str, Rule], origin: str, most_states: int):
        self.rules, self.origin, self.most_states = rules, origin, most_states
        self.automaton = Automaton()
        # Rule and the state that it leads to -> where it begins.
        self.begins: dict[tuple[str, int], int] = {}
        # The same, of the rule that first referred to it.
        self.inside: dict[tuple[str, int], tuple[str, int] | None] = {}
        self.waiting: list[tuple[str, int]] = []

    def run(self) -> Automaton:
        public: list[Expansion] = [Reference(name, rule.line) for name, rule in self.rules.items() if rule.public]
        end = self._state()
        self.automaton.final[end] = 0.0
        self.automaton.start = self._build(equally_likely(public), end, None)
        # Not by recursion: a machine may have written hundreds of rules, each of which ends in the next.
        while self.waiting:
            key = self.waiting.pop()
            name, exit_state = key
            self._silent(self.begins[key], 1.0, self._build(self.rules[name].body, exit_state, key))
        return self.automaton

    def _build(self, item: Expansion, target: int, inside: tuple[str, int] | None) -> int:
        """Return the state where ``item`` begins that leads to ``target``."""
        if isinstance(item, Reference):
            return self._refer(item, target, inside)
        if isinstance(item, Series):
            # Each word of a sentence has a state of its own, so that is known before they are built.
            if len(item.items) > MOST_STATES and sum(isinstance(part, Word) for part in item.items) > MOST_STATES:
                raise LexiconError(f"{self.origin}: more than {MOST_STATES} words follow each other; say fewer at once")
            for part in reversed(item.items):
                target = self._build(part, target, inside)
            return target
        state = self._state()
        if isinstance(item, Word):
            self.automaton.add_arc(state, item.text, 0.0, target)
        elif isinstance(item, Choice):
            for probability, alternative in item.alternatives:
                self._lead(state, probability, alternative, target, inside)
        else:
            # The state between two times.
            self._silent(state, 0.5, target)
            begin = self._build(item.item, state, inside)
            self._silent(state, 0.5, begin)
            return begin if item.at_least_once else state
        return state

    def _lead(
        self, state: int, probability: float, item: Expansion, target: int, inside: tuple[str, int] | None
    ) -> None:
        """Let an alternative begin in a state; one that begins with a word needs no state of its own."""
        if isinstance(item, Series) and item.items:
            for part in reversed(item.items[1:]):
                target = self._build(part, target, inside)
            item = item.items[0]
        if isinstance(item, Word):
            self.automaton.add_arc(state, item.text, -math.log(probability), target)
        else:
            self._silent(state, probability, self._build(item, target, inside))

    def _refer(self, item: Reference, target: int, inside: tuple[str, int] | None) -> int:
        key = (item.name, target)
        if key in self.begins:
            return self.begins[key]
        around = inside
        while around is not None:
            if around[0] == item.name:
                raise LexiconError(
                    f"{self.origin}:{item.line}: rule <{item.name}> refers to itself before its end; only a rule that "
                    "ends in itself can be unfolded: write <a> = x [<a>], or use * or +"
                )
            around = self.inside[around]
        self.begins[key] = self._state()
        self.inside[key] = inside
        self.waiting.append(key)
        return self.begins[key]

    def _silent(self, source: int, probability: float, target: int) -> None:
        self.automaton.add_arc(source, None, -math.log(probability), target)

    def _state(self) -> int:
        if len(self.automaton.arcs) == self.most_states:
            raise LexiconError(
                f"{self.origin}: the rules unfold to more than {self.most_states} states; rules inside rules multiply: "
                "simplify the grammar"
            )
        return self.automaton.add_state()
