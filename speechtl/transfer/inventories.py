"""The phone inventories of the heads, and the lexicons of the languages."""

from collections.abc import Mapping, Sequence

from speechtl.batches.config import DataConfig
from speechtl.batches.needed_phones import needed_phones
from speechtl.errors import ConfigError
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.layout import ExperimentLayout
from speechtl.transfer.method import TransferMethod, source_inventories


def read_lexicon(data: DataConfig, methods: Sequence[TransferMethod]) -> Lexicon | None:
    """Return the lexicon of a language; for one that is kept from a source, the source's if no other is named."""
    if data.lexicon is not None:
        return Lexicon.load(data.lexicon, notation=data.notation, stress=data.stress, tone=data.tone)
    kept = [source for method in methods if method.keeps_head(data.head_name) for source in method.sources()]
    for source in kept if not data.train else ():
        path = ExperimentLayout(source).lexicon(data.language)
        if path.is_file():
            return Lexicon.load(path, stress="keep", tone="keep")
    return None


def head_inventories(
    tables: Sequence[DataConfig], methods: Sequence[TransferMethod], lexicons: Mapping[str, Lexicon | None]
) -> dict[str, PhoneInventory]:
    """Return the phones of each head: those of the source that it is kept from, or those that its languages need.

    A head with neither is left out.

    Args:
        tables: the ``[[data]]`` tables.
        methods: the transfer methods.
        lexicons: by language.

    Raises:
        ConfigError: one head is to follow sources with different phones, or held-out speech has no head.
        LexiconError: a lexicon has no word of its transcripts.
    """
    found = {}
    for head in dict.fromkeys(data.head_name for data in tables):
        kept = {
            source: inventory
            for method in methods
            if method.keeps_head(head)
            for source in method.sources()
            if (inventory := source_inventories(source).get(head)) is not None
        }
        if len({inventory.phones for inventory in kept.values()}) > 1:
            raise ConfigError(
                f"transfer: {' and '.join(kept)} have different phones for '{head}', so one head cannot follow "
                'both; declare the head of all but one fresh, or use distance = "parameter"'
            )
        languages = [data for data in tables if data.head_name == head]
        if kept:
            found[head] = next(iter(kept.values()))
        elif any(data.train for data in languages):
            found[head] = needed_phones([(data, lexicons[data.language]) for data in languages])
        elif any(data.dev for data in languages) and not methods:
            raise ConfigError(f"data: '{head}' has dev speech but no head to score; name labelled speech as train")
    return found
