"""What messages advise can be done: an option that is named with a verb is an option of that verb."""

import ast
import re
from pathlib import Path

import pytest
from command_line import command_tree

import speechtl

PACKAGE = Path(speechtl.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# A verb is followed by what it takes, up to the end of what is quoted or in brackets.
ADVICE = re.compile(r"speechtl ((?:data|lexicon) [a-z0-9-]+|[a-z]+)((?:(?!speechtl )[^);`\n])*)")


def options_of(command):
    return {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}


def verbs():
    found = {}
    for name, command in command_tree().commands.items():
        found[name] = command
        found |= {f"{name} {below}": one for below, one in getattr(command, "commands", {}).items()}
    return found


VERBS = verbs()


def strings(path):
    """Yield what is written in a file, formatted values as gaps."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_advice_can_be_followed(path):
    for text in strings(path):
        for verb, rest in ADVICE.findall(text):
            named = verb if verb in VERBS else verb.split()[0]
            if named in VERBS:
                assert set(OPTION.findall(rest)) <= options_of(VERBS[named]) | {"--help"}, text
