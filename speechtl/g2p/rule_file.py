"""Read files of spelling rules; see ``spelling_rules`` for the format."""

import dataclasses
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from speechtl.errors import LexiconError, list_problems
from speechtl.files import read_text
from speechtl.lang.ipa import split_ipa
from speechtl.lang.ipa_symbols import STRESS_MARKS

_SECTIONS = ("words", "spelling", "letters", "phones")
_STRESSES = ("free", "penult", "last", "first")
_CLASS = re.compile(r"(!?)\{([^{}]*)\}")

Classes = dict[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class SpellingRule:
    """Letters for letters."""

    what: re.Pattern[str]
    result: str
    left: re.Pattern[str]
    right: re.Pattern[str]

    def rewrite(self, letters: str) -> str:
        """Apply the rule everywhere, from left to right, to letters between two ``#``."""
        result, position = "", 0
        while position < len(letters):
            found = self.what.match(letters, position)
            if (
                found
                and found.end() > position
                and self.left.search(letters[:position])
                and self.right.match(letters, found.end())
            ):
                result += found.expand(self.result)
                position = found.end()
            else:
                result += letters[position]
                position += 1
        return result


@dataclasses.dataclass(frozen=True)
class LetterRule:
    """Phones for letters; ``results`` has one entry per variant."""

    what: str
    results: tuple[tuple[str, ...], ...]
    left: re.Pattern[str]
    right: re.Pattern[str]

    def fits(self, letters: str, position: int) -> bool:
        """Tell whether the letters around ``what`` are those that the rule asks for."""
        right = self.right.match(letters, position + len(self.what))
        return right is not None and self.left.search(letters[:position]) is not None


@dataclasses.dataclass(frozen=True)
class PhoneRule:
    """Phones for phones.

    Attributes:
        what: for each phone in turn, what it may be.
        results: per variant, the phones; where ``parallel``, one for each item of the only class of ``what``.
        parallel: items correspond.
        left: pattern over the phones before, each followed by a space.
        right: pattern over the phones after it.
    """

    what: tuple[frozenset[str] | tuple[str, ...], ...]
    results: tuple[tuple[str, ...], ...]
    parallel: bool
    left: re.Pattern[str]
    right: re.Pattern[str]

    def rewrite(self, phones: Sequence[str], way: int) -> list[str]:
        """Apply the rule everywhere at once, to phones between two ``#``."""
        size = len(self.what)
        result: list[str] = []
        position = 0
        chosen = self.results[min(way, len(self.results) - 1)]
        while position < len(phones):
            here = phones[position : position + size]
            if (
                len(here) == size
                and all(phone in allowed for phone, allowed in zip(here, self.what))
                and self.left.search("".join(f"{phone} " for phone in phones[:position]))
                and self.right.match("".join(f"{phone} " for phone in phones[position + size :]))
            ):
                (first, *_) = self.what
                result += [chosen[tuple(first).index(here[0])]] if self.parallel else chosen
                position += size
            else:
                result.append(phones[position])
                position += 1
        return result


@dataclasses.dataclass
class RuleFile:
    """What a file of rules holds; ``letters`` are by what they read."""

    name: str = ""
    upper: dict[str, str] = dataclasses.field(default_factory=dict)
    ignored: str = "'’-‐.·\u00ad"
    stress: str = ""
    needs: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    words: dict[str, tuple[tuple[str, ...], ...]] = dataclasses.field(default_factory=dict)
    spelling: list[SpellingRule] = dataclasses.field(default_factory=list)
    letters: dict[str, list[LetterRule]] = dataclasses.field(default_factory=dict)
    phones: list[PhoneRule] = dataclasses.field(default_factory=list)
    classes: Classes = dataclasses.field(default_factory=dict)

    @property
    def longest(self) -> int:
        """How many letters the longest ``what`` has."""
        return max(map(len, self.letters), default=0)

    @property
    def has_digits(self) -> bool:
        """Whether digits are letters of the language, as tones are in pinyin."""
        return any(letter.isdigit() for letter in self.letters)


def read_rule_file(path: Path) -> RuleFile:
    """Read a file of rules.

    Raises:
        LexiconError: the file cannot be read, or lists every bad line.
    """
    text = unicodedata.normalize("NFC", read_text(path, error=LexiconError, advice="give a file of spelling rules"))
    rules, section, problems = RuleFile(), "", []
    for number, line in enumerate(text.split("\n"), start=1):
        line = re.sub(r"(^|\s)//.*", "", line).strip()
        if not line:
            continue
        try:
            heading = re.fullmatch(r"\[(\w+)\]", line)
            if heading:
                section = heading.group(1)
                if section not in _SECTIONS:
                    raise LexiconError(f"no section '{section}'; there are {', '.join(_SECTIONS)}")
            else:
                _read_line(line, section, rules)
        except (LexiconError, re.error) as error:
            problems.append(f"{path}:{number}: {error}")
    if not rules.letters and not problems:
        problems.append(f"{path}: no rules in the section [letters]")
    if problems:
        raise LexiconError(list_problems(f"{path}: {len(problems)} problems", problems))
    rules.name = rules.name or path.stem
    return rules


def _read_line(line: str, section: str, rules: RuleFile) -> None:
    if " -> " not in line and (found := re.fullmatch(r"(\w+)\s*=\s*(.*)", line)):
        rules.classes[found.group(1)] = _items(found.group(2), rules.classes)
        return
    if not section:
        _read_option(line, rules)
        return
    head, arrow, context = (part.strip() for part in line.partition(" / "))
    what, arrow, result = (part.strip() for part in head.partition(" -> "))
    if not arrow or not what:
        raise LexiconError(f"expected 'what -> result / left _ right' (got '{line}')")
    left, gap, right = (part.strip() for part in (context or "_").partition("_"))
    if not gap:
        raise LexiconError(f"no '_' in the context '{context}'")
    classes = rules.classes
    if section == "words":
        rules.words[what] = _results(result, classes)
    elif section == "spelling":
        rules.spelling.append(
            SpellingRule(
                re.compile(_letter_pattern(what, classes)),
                result if result != "-" else "",
                re.compile(f"(?:{_letter_pattern(left, classes)})$"),
                re.compile(_letter_pattern(right, classes)),
            )
        )
    elif section == "letters":
        rule = LetterRule(
            what,
            _results(result, classes),
            re.compile(f"(?:{_letter_pattern(left, classes)})$"),
            re.compile(_letter_pattern(right, classes)),
        )
        rules.letters.setdefault(what, []).append(rule)
    else:
        rules.phones.append(_phone_rule(what, result, left, right, classes))


def _read_option(line: str, rules: RuleFile) -> None:
    key, _, value = (part.strip() for part in line.partition(":"))
    if key == "name" and value:
        rules.name = value
    elif key == "stress" and value in _STRESSES:
        rules.stress = value
    elif key == "ignore":
        rules.ignored += value.replace(" ", "")
    elif key == "keep":
        rules.ignored = "".join(sign for sign in rules.ignored if sign not in value)
    elif key == "upper":
        rules.upper.update(dict(pair.split("=") for pair in value.split()))
    elif key == "needs" and " " in value:
        pattern, message = value.split(None, 1)
        re.compile(pattern)
        rules.needs.append((pattern, message))
    else:
        raise LexiconError(f"not an option or a class (got '{line}'); rules stand under a section like [letters]")


def _items(text: str, classes: Classes) -> tuple[str, ...]:
    """Return what a class holds: names of classes, also stressed (ˈV), stand for their items."""
    result: list[str] = []
    for item in text.split():
        bare = item.lstrip("ˈ")
        if item in classes:
            result += classes[item]
        elif bare != item and bare in classes:
            result += [f"ˈ{phone}" for phone in classes[bare]]
        else:
            result.append(item)
    return tuple(dict.fromkeys(result))


def _results(text: str, classes: Classes) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(_phones(way)) for way in text.split("|"))


def _phones(text: str) -> list[str]:
    phones = [phone for phone in text.split() if phone != "-"]
    for phone in phones:
        _check_phone(phone)
    return phones


def _check_phone(phone: str) -> None:
    bare = phone.lstrip("".join(STRESS_MARKS))
    if "".join(split_ipa(bare)) != bare or len(split_ipa(bare)) != 1:
        raise LexiconError(f"'{phone}' is not one phone in speechtl's spelling; its phones are {split_ipa(bare)}")


def _letter_pattern(text: str, classes: Classes) -> str:
    """Return the regular expression of a context of letters; spaces in it mean nothing."""

    def alternatives(found: re.Match[str]) -> str:
        items = sorted(_items(found.group(2), classes), key=len, reverse=True)
        body = "|".join(re.escape(item) for item in items)
        return f"(?:(?!{body}).)" if found.group(1) else f"(?:{body})"

    return _CLASS.sub(alternatives, text).replace(" ", "")


def _phone_rule(what: str, result: str, left: str, right: str, classes: Classes) -> PhoneRule:
    tokens = re.findall(r"\{[^{}]*\}|\S+", what)
    allowed = tuple(_items(token.strip("{}"), classes) if token.startswith("{") else (token,) for token in tokens)
    parallel = len(allowed) == 1 and result.startswith("{")
    if parallel:
        results = tuple(_items(way.strip().strip("{}"), classes) for way in result.split("|"))
        if any(len(way) != len(allowed[0]) for way in results):
            raise LexiconError(f"'{what}' and '{result}' have different numbers of phones")
    else:
        results = tuple(tuple(phone for phone in way.split() if phone != "-") for way in result.split("|"))
    for phone in (phone for way in results for phone in way):
        _check_phone(phone)
    return PhoneRule(
        allowed,
        results,
        parallel,
        re.compile(f"(?:^|(?<= )){_phone_pattern(left, classes)}$"),
        re.compile(_phone_pattern(right, classes)),
    )


def _phone_pattern(text: str, classes: Classes) -> str:
    pattern = ""
    for token in re.findall(r"!?\{[^{}]*\}[*+?]?|\S+", text):
        repeat = token[-1] if token[-1] in "*+?" and len(token) > 1 else ""
        token = token.removesuffix(repeat)
        found = _CLASS.fullmatch(token)
        items = _items(found.group(2), classes) if found else (token,)
        body = "|".join(re.escape(item) for item in items)
        one = rf"(?!(?:{body}) )\S+ " if found and found.group(1) else f"(?:{body}) "
        pattern += f"(?:{one}){repeat}"
    return pattern
