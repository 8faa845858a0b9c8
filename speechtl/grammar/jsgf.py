"""Grammars of commands in JSGF, the Java Speech Grammar Format 1.0 (Sun Microsystems 1998)."""

import codecs
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from speechtl.errors import LexiconError, list_problems
from speechtl.grammar.jsgf_rules import (
    NULL,
    VOID,
    Choice,
    Expansion,
    Reference,
    Repeat,
    Rule,
    Series,
    Word,
    equally_likely,
)
from speechtl.uncollected import uncollected

# Deeper brackets are no grammar that someone wrote.
_DEEPEST = 100

_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?#JSGF[ \t]+V1\.0(?:[ \t]+([^\s;]+))?(?:[ \t]+[^\s;]+)?[ \t]*;")
_TOKEN = re.compile(
    r"""[ \t]*
      (?:(?P<word>[^\s;=|*+<>()\[\]{}/"]+)
      | (?P<mark>[;=|*+()\[\]])
      | (?P<space>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<weight>/[ \t]*[^\s/*|;]+[ \t]*/)
      | (?P<rule><[^<>\n;]*>)
      | (?P<quoted>"(?:[^"\\\n]|\\.)*")
      | (?P<tag>\{(?:[^}\\]|\\.)*\})
      | (?P<bad>/\*.*|\{.*|"[^\n]*|<+|.))""",
    re.VERBOSE | re.DOTALL,
)
_LINES = {"space", "weight", "quoted", "tag", "bad"}  # Kinds that may hold a line end.
_ITEMS, _AFTER = {"word", "quoted", "rule", "(", "["}, {"tag", "*", "+"}
_UNCLOSED = {
    "/*": "a comment is never closed; end it with */",
    "/": "a weight stands between two slashes, as /0.3/; put a word that has a slash into double quotes",
    "<": "a rule name has no end; write <name> in one line",
    '"': "a word in double quotes has no end in its line",
    "{": "a tag is never closed; end it with }",
}


class Token(NamedTuple):
    """A piece of the text: its kind (a mark is one of its own), its text and its line."""

    kind: str
    text: str
    line: int


def parse_jsgf(content: bytes, origin: str) -> dict[str, Rule]:
    """Read the rules of a grammar.

    Weights of alternatives become probabilities. Where there are no weights, all alternatives are equally likely, so
    are saying and leaving out something optional, and stopping and going on with a repetition. Tags are passed over. A
    token in double quotes that has blanks in it is a sequence of words.

    Args:
        content: of the file, in UTF-8 or the encoding that its first line names.
        origin: the file, for messages.

    Returns:
        Rules by name; every name that a rule refers to is there, and at least one is public.

    Raises:
        LexiconError: lists everything that is wrong as ``file:line``.
    """
    text, first = _decode(content, origin)
    parser = _Parser(_tokens(text, first))
    with uncollected():
        parser.read()
    rules, problems = parser.rules, parser.problems
    for line, name in parser.references:
        # Within a grammar, the full name of a rule begins with the grammar's.
        if name not in rules and not parser.failed:
            known = ", ".join(f"<{other}>" for other in list(rules)[:10])
            problems.append((line, f"rule <{name}> is not defined (this file defines {known or 'none'})"))
    if not problems and not any(rule.public for rule in rules.values()):
        problems.append((1, "no rule is public; write 'public' before the rules that may be spoken by themselves"))
    if problems:
        lines = [f"{origin}:{line}: {problem}" for line, problem in sorted(problems)]
        raise LexiconError(list_problems(f"{origin}: not a grammar in JSGF:", lines))
    return rules


def _decode(content: bytes, origin: str) -> tuple[str, int]:
    """Return the text after the header, and its first line's number."""
    header = _HEADER.match(content)
    if not header:
        start = content.split(b"\n", 1)[0][:60].decode("utf-8", "replace").strip()
        raise LexiconError(f"{origin}:1: expected '#JSGF V1.0;' (got '{start}')")
    encoding = (header[1] or b"UTF-8").decode("ascii", "replace")
    try:
        codecs.lookup(encoding)
        return content[header.end() :].decode(encoding), 1
    except (LookupError, ValueError) as error:
        if not isinstance(error, UnicodeError):
            # Not every codec is one of texts.
            message = f"{origin}:1: unknown encoding '{encoding}'; save the file as UTF-8"
            raise LexiconError(message) from None
        place = header.end() + getattr(error, "start", 0)
        line = content[:place].count(b"\n") + 1
        what = f"byte 0x{content[place]:02X}" if isinstance(error, UnicodeDecodeError) else error
        raise LexiconError(f"{origin}:{line}: not {encoding} ({what}); save the file as UTF-8") from None


def _tokens(text: str, line: int) -> Iterator[Token]:
    """Yield the pieces of a text, at last one of kind ``end``, in the line of the last."""
    last = 1
    for found in _TOKEN.finditer(text):
        kind, piece = str(found.lastgroup), found[found.lastindex or 0]
        if kind != "space":
            yield Token(piece if kind == "mark" else kind, piece, line)
            last = line
        if kind in _LINES:
            line += piece.count("\n")
    yield Token("end", "the end of the file", last)


class _Problem(Exception):
    """A rule that cannot be read: line and message."""


class _Parser:
    """Reads rule by rule, so that one bad rule does not hide the faults of the next."""

    def __init__(self, tokens: Iterator[Token]):
        # One by one: all of them would take more memory than the rules.
        self.tokens, self.next = tokens, next(tokens)
        self.rules: dict[str, Rule] = {}
        self.words: dict[str, Word] = {}
        self.problems: list[tuple[int, str]] = []
        self.references: list[tuple[int, str]] = []
        self.grammar = ""
        self.failed = False

    def take(self) -> Token:
        token = self.next
        self.next = next(self.tokens, token)
        return token

    def at(self, mark: str) -> bool:
        return self.next.kind == mark

    def expect(self, mark: str, where: str) -> None:
        if not self.at(mark):
            raise self.unexpected(f"expected '{mark}' {where}")
        self.take()

    def unexpected(self, expected: str) -> _Problem:
        token = self.next
        if token.kind == "bad":
            known = next((text for start, text in _UNCLOSED.items() if token.text.startswith(start)), None)
            return _Problem(token.line, known or f"unexpected '{token.text}'; put such words into double quotes")
        got = token.text if token.kind == "end" else f"'{token.text}'"
        return _Problem(token.line, f"{expected} (got {got})")

    def read(self) -> None:
        statement = self.declaration
        while self.next.kind != "end" or statement == self.declaration:
            try:
                statement()
            except _Problem as problem:
                self.problems.append(problem.args)
                # A rule that cannot be read may be one that others refer to, and its end is a guess.
                self.failed = True
                while self.next.kind != "end" and not self.at(";"):
                    self.take()
                self.take()
            statement = self.statement

    def declaration(self) -> None:
        if self.next.text != "grammar":
            self.problems.append((self.next.line, f"expected 'grammar NAME;' (got '{self.next.text}')"))
            return
        self.take()
        if self.next.kind != "word":
            raise self.unexpected("expected the grammar's name")
        self.grammar = self.take().text
        self.expect(";", "after the grammar's name")

    def statement(self) -> None:
        first = self.next
        if (first.kind, first.text) == ("word", "import"):
            raise _Problem(first.line, "import is not supported; copy the rules into this file")
        public = (first.kind, first.text) == ("word", "public")
        if public:
            self.take()
        name = self.next
        if name.kind != "rule":
            raise self.unexpected("expected a rule: <name> = ... ; or public <name> = ... ;")
        self.take()
        self.expect("=", f"after {name.text}")
        body = self.expansion(0)
        if not self.at(";"):
            raise self.unexpected(f"expected ';' at the end of rule {name.text}")
        self.take()
        key = self.rule_name(name)
        if key in ("NULL", "VOID"):
            self.problems.append((name.line, f"<{key}> has a meaning of its own and cannot be defined"))
        elif key in self.rules:
            self.problems.append((name.line, f"rule <{key}> is defined twice (first in line {self.rules[key].line})"))
        else:
            self.rules[key] = Rule(body, public, name.line)

    def rule_name(self, token: Token) -> str:
        name = token.text[1:-1].strip()
        if not name or any(character.isspace() for character in name):
            raise _Problem(token.line, f"'{token.text}' is no rule name")
        # Within a grammar, a rule's full name begins with the grammar's.
        for prefix in (self.grammar, self.grammar.rpartition(".")[2]):
            if prefix and name.startswith(f"{prefix}."):
                return name[len(prefix) + 1 :]
        return name

    def expansion(self, depth: int) -> Expansion:
        """Read alternatives up to what cannot belong to them."""
        if depth > _DEEPEST:
            raise _Problem(self.next.line, f"brackets are nested more than {_DEEPEST} deep; use rules of their own")
        line = self.next.line
        items: list[Expansion] = []
        weights: list[float] = []
        while True:
            if self.next.kind == "weight":
                weights.append(self.weight(self.take()))
            items.append(self.sequence(depth))
            if not self.at("|"):
                break
            self.take()
        if not weights:
            return items[0] if len(items) == 1 else equally_likely(items)
        if len(weights) != len(items):
            raise _Problem(line, f"{len(weights)} of {len(items)} alternatives have a weight; give one to all or none")
        if not any(weights):
            raise _Problem(line, "all weights are 0; at least one alternative must be possible")
        if math.isinf(sum(weights)):
            weights = [weight / len(weights) for weight in weights]
        total = sum(weights)
        return Choice(tuple((weight / total, item) for weight, item in zip(weights, items) if weight / total))

    def weight(self, token: Token) -> float:
        try:
            value = float(token.text[1:-1])
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:
            raise _Problem(token.line, f"weight {token.text} is not a number of at least 0")
        return value

    def sequence(self, depth: int) -> Expansion:
        items: list[Expansion] = []
        read = False
        while self.next.kind in _ITEMS:
            item = self.repeated(self.item(depth))
            read = True
            if not isinstance(item, Series) or item.items:
                items.append(item)
        if not read:
            raise self.unexpected("expected a word, a rule or a bracket; what says nothing is <NULL>")
        return items[0] if len(items) == 1 else Series(tuple(items))

    def item(self, depth: int) -> Expansion:
        token = self.take()
        if token.kind == "word":
            return self.words.get(token.text) or self.words.setdefault(token.text, Word(token.text))
        if token.kind == "quoted":
            words = re.sub(r"\\(.)", r"\1", token.text[1:-1]).split()
            if not words:
                raise _Problem(token.line, "nothing stands between the double quotes; what says nothing is <NULL>")
            return Word(words[0]) if len(words) == 1 else Series(tuple(map(Word, words)))
        if token.kind == "rule":
            name = self.rule_name(token)
            if name in ("NULL", "VOID"):
                return NULL if name == "NULL" else VOID
            self.references.append((token.line, name))
            return Reference(name, token.line)
        inside = self.expansion(depth + 1)
        self.expect(")" if token.text == "(" else "]", f"for the '{token.text}' of line {token.line}")
        return inside if token.text == "(" else equally_likely([NULL, inside])

    def repeated(self, item: Expansion) -> Expansion:
        """Read what may follow an item: tags, and one * or +."""
        operator = ""
        while self.next.kind in _AFTER:
            token = self.take()
            if token.kind == "tag":
                continue
            if operator:
                raise _Problem(token.line, f"'{token.text}' after '{operator}'; put brackets around the first")
            operator = token.text
            item = Repeat(item, at_least_once=operator == "+")
        return item
