"""A grapheme-to-phoneme model of a large lexicon: learned once for each content, and kept in the user's cache."""

import contextlib
import logging
import os

from speechtl.errors import DataError, LexiconError
from speechtl.files import user_cache
from speechtl.g2p.grapheme_to_phoneme import GraphemeToPhoneme
from speechtl.kept_files import remove_least_recent
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.stored_lexicon import StoredLexicon

logger = logging.getLogger(__name__)

# Of what is kept; to be raised with every change of what is learned from a lexicon.
_VERSION = 1
# Bytes of a lexicon: from a smaller one, a model is learned in no time.
WORTH_KEEPING = 1 << 18
# Models that are kept; what was not used for longest goes first.
_MOST = 8


def learned_from(lexicon: Lexicon) -> GraphemeToPhoneme:
    """Return the model that a lexicon teaches: as it was kept, or else trained, and kept for the next time.

    Only models of large files are kept, by their content and how they are read. The cache may be deleted at any time.

    Raises:
        LexiconError: see `GraphemeToPhoneme.train`.
    """
    if not isinstance(lexicon, StoredLexicon) or lexicon.size < WORTH_KEEPING:
        return GraphemeToPhoneme.train(lexicon)
    folder = user_cache() / f"g2p-{_VERSION}"
    file = folder / f"{lexicon.key}.g2p"
    if file.exists():
        try:
            model = GraphemeToPhoneme.load(file)
        except LexiconError as error:
            logger.warning(f"{error}; it is learned again")
        else:
            with contextlib.suppress(OSError):
                os.utime(file)
            return model
    logger.info(f"learning how {len(lexicon)} words of {lexicon.path.name} are spelled, once; this may take a minute")
    model = GraphemeToPhoneme.train(lexicon)
    try:
        model.save(file)
        remove_least_recent(folder, "*.g2p", file, files=_MOST)
    except DataError as error:
        logger.info(f"{error}; without it, spelling is learned at every start (SPEECHTL_CACHE)")
    return model
