"""Weighted automata over words, and their determinisation for the search."""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from speechtl.errors import LexiconError
from speechtl.grammar.word_graph import WordGraph

MOST_STATES = 100_000
# States of the automaton in all states of the result together: where words may be left out or said again in thousands
# of places one after the other, each state of the result has thousands, and their number says nothing.
_MOST_MEMBERS = 300_000
# Paths of the same words that are more than this worse than the best one (a probability of 1e-13) count as this much
# worse. This keeps automata finite that have loops of the same words with different costs.
_MOST_RESIDUAL = 30.0
# Costs that are equal up to this are one: sums of the same numbers in another order.
_DIGITS = 6

# State of the automaton -> cost above the best one of the set.
_Subset = dict[int, float]


class Automaton:
    """An acceptor of words with costs (negated natural logarithms) that may be ambiguous and have silent arcs.

    Attributes:
        start: the first state.
        arcs: for each state its arcs: word (None for a silent arc), cost, next state.
        final: state -> cost of ending there.
    """

    def __init__(self) -> None:
        self.start = 0
        self.arcs: list[list[tuple[str | None, float, int]]] = []
        self.final: dict[int, float] = {}

    def add_state(self) -> int:
        """Return a new state."""
        self.arcs.append([])
        return len(self.arcs) - 1

    def add_arc(self, source: int, word: str | None, cost: float, target: int) -> None:
        """Add an arc; one of infinite cost is none."""
        if cost < math.inf:
            self.arcs[source].append((word, cost, target))

    def word_graph(self, origin: str, most_states: int = MOST_STATES) -> WordGraph:
        """Return the determinised automaton: each sentence with the cost of its best path.

        This is the weighted subset construction in the tropical semiring (Mohri 1997). Where one path
        of a sentence is far better than its others over a part of it, the advantage may be limited to 30 (in natural
        logarithm).

        Args:
            origin: the file, for messages.
            most_states: of the result.

        Raises:
            LexiconError: no sentence, or none with a word; silent arcs in a loop of negative cost; too many states.
        """
        alive = self._alive()
        if self.start not in alive:
            raise LexiconError(f"{origin}: the grammar allows no sentence; no path leads from its start to an end")
        alive &= reachable([self.start], lambda state: [target for _, _, target in self.arcs[state]])
        spoken = any(word is not None and target in alive for state in alive for word, _, target in self.arcs[state])
        if not spoken:
            raise LexiconError(f"{origin}: the grammar allows only the sentence without words")
        return _Determiniser(self, alive, origin, most_states).run()

    def _alive(self) -> set[int]:
        """Return the states from which an end can be reached."""
        before: dict[int, list[int]] = defaultdict(list)
        for source, arcs in enumerate(self.arcs):
            for _, _, target in arcs:
                before[target].append(source)
        ends = [state for state, cost in self.final.items() if cost < math.inf]
        return reachable(ends, lambda state: before.get(state, ()))


def reachable(start: Iterable[int], following: Callable[[int], Iterable[int]]) -> set[int]:
    """Return the states that can be reached from some, given what follows each."""
    found = set(start)
    waiting = list(found)
    while waiting:
        for state in following(waiting.pop()):
            if state not in found:
                found.add(state)
                waiting.append(state)
    return found


class _Determiniser:
    """States of the result are sets of states with residual costs."""

    def __init__(self, automaton: Automaton, alive: set[int], origin: str, most_states: int):
        self.automaton, self.origin, self.most_states = automaton, origin, most_states
        # By state, of those that have any.
        self.silent: dict[int, list[tuple[float, int]]] = {}
        self.speaking: dict[int, list[tuple[str, float, int]]] = {}
        for state in alive:
            kept = [arc for arc in automaton.arcs[state] if arc[2] in alive]
            silent = [(cost, target) for word, cost, target in kept if word is None]
            speaking = [(word, cost, target) for word, cost, target in kept if word is not None]
            if silent:
                self.silent[state] = silent
            if speaking:
                self.speaking[state] = speaking
        self.members, self.rounds = 0, len(automaton.arcs)
        self.subsets: list[_Subset] = []
        # Sets by what they are before and after silent arcs; the first spares most of the work for the second.
        self.before: dict[tuple, tuple[int, float]] = {}
        self.after: dict[tuple, int] = {}
        # The same as ``before``, of a set of one state.
        self.alone: dict[int, tuple[int, float]] = {}

    def run(self) -> WordGraph:
        # What every sentence costs stays in the first set: there is no arc before it.
        self._number(self._close({self.automaton.start: 0.0}))
        arcs: list[dict[str, tuple[float, int]]] = []
        final: list[float] = []
        while len(arcs) < len(self.subsets):
            subset = self.subsets[len(arcs)]
            ends = [
                cost + self.automaton.final[state] for state, cost in subset.items() if state in self.automaton.final
            ]
            final.append(0.0 - min(ends, default=math.inf))
            by_word: dict[str, _Subset] = {}
            for state, residual in subset.items():
                for word, cost, target in self.speaking.get(state, ()):
                    total, targets = residual + cost, by_word.get(word)
                    if targets is None:
                        by_word[word] = {target: total}
                    elif total < targets.get(target, math.inf):
                        targets[target] = total
            arcs.append({word: self._next(targets) for word, targets in by_word.items()})
        return WordGraph.acceptor(arcs, final)

    def _next(self, targets: _Subset) -> tuple[float, int]:
        """Return score and number of the set that a word leads to."""
        lowest = min(targets.values())
        if len(targets) == 1:
            (state,) = targets
            if state not in self.alone:
                self.alone[state] = self._after({state: 0.0})
            number, lower = self.alone[state]
            return 0.0 - (lowest + lower), number
        targets = {state: cost - lowest for state, cost in targets.items()}
        key = _key(targets)
        if key not in self.before:
            self.before[key] = self._after(targets)
        number, lower = self.before[key]
        return 0.0 - (lowest + lower), number

    def _after(self, targets: _Subset) -> tuple[int, float]:
        """Return the number of a set of states and those after silent arcs, and what all of them cost more."""
        closed = self._close(targets)
        lower = min(closed.values())
        return self._number({state: min(cost - lower, _MOST_RESIDUAL) for state, cost in closed.items()}), lower

    def _number(self, subset: _Subset) -> int:
        key = _key(subset)
        if key not in self.after:
            self.members += len(subset)
            if len(self.subsets) == self.most_states or self.members > _MOST_MEMBERS:
                raise LexiconError(
                    f"{self.origin}: the grammar needs more than {self.most_states} states; it says the same words in "
                    "too many ways, or is too large: simplify it, or split it by what may be said when"
                )
            self.after[key] = len(self.subsets)
            self.subsets.append(subset)
        return self.after[key]

    def _close(self, subset: _Subset) -> _Subset:
        """Follow silent arcs; keep the states that speak or end."""
        best = dict(subset)
        waiting = deque(best)
        rounds: dict[int, int] = {}
        while waiting:
            state = waiting.popleft()
            silent = self.silent.get(state)
            if silent is None:
                continue
            rounds[state] = rounds.get(state, 0) + 1
            if rounds[state] > self.rounds:
                raise LexiconError(
                    f"{self.origin}: silent arcs form a loop of negative cost, so that the best sentence costs minus "
                    "infinity; make their costs positive"
                )
            for cost, target in silent:
                if best[state] + cost < best.get(target, math.inf) - 1e-12:
                    best[target] = best[state] + cost
                    waiting.append(target)
        return {state: cost for state, cost in best.items() if state in self.speaking or state in self.automaton.final}


def _key(subset: _Subset) -> tuple:
    return tuple(sorted((state, round(cost, _DIGITS)) for state, cost in subset.items()))
