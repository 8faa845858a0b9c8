"""Models that come with the package, by name.

Each is a folder of `FOLDER`: ``card.toml``, ``config.toml``, ``phones/HEAD.txt``, ``weights.safetensors.gz`` in half
precision, and what an exported model has besides.
"""

from importlib import resources
from pathlib import Path

from speechtl.config import parse, read_toml
from speechtl.files import finish_replacing
from speechtl.pretrained.named_card import NamedCard

FOLDER = Path(str(resources.files("speechtl.pretrained"))) / "models"
CARD = "card.toml"
# By language, words to find where no lexicon is given: LANGUAGE/lexicon.txt.gz and LANGUAGE/lm.arpa.gz.
WORDS = FOLDER.with_name("words")


def model_names() -> list[str]:
    """Return the names of the models that come with the package."""
    return sorted(path.parent.name for path in FOLDER.glob(f"[!.]*/{CARD}"))


def named_cards() -> dict[str, NamedCard]:
    """Return the cards of the models that come with the package, by name.

    Raises:
        ConfigError: a card lacks a field, or has a wrong one.
    """
    return {name: read_card(FOLDER / name) for name in model_names()}


def read_card(folder: Path) -> NamedCard:
    """Read the card of a stored model.

    Raises:
        ConfigError: it lacks a field, or has a wrong one.
    """
    finish_replacing(folder)
    return parse(NamedCard, read_toml(folder / CARD), folder / CARD)
