"""What is to be adapted: read from the files that a user gives."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechtl.adaptation.config import choose_config
from speechtl.adaptation.vocabulary import new_words
from speechtl.decoding.config import DecodingConfig
from speechtl.exchange.read_source import kind_of_source
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.g2p.new_words import choose_pronouncer
from speechtl.g2p.word_list import guessed_lexicon
from speechtl.grammar.coverage import tell_coverage
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.read import read_language_model
from speechtl.lang.lexicon import Lexicon, Notation
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.phone_mapping import MissingPhones


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be adapted, and how; every field but the first three has a default.

    Attributes:
        source: experiment directory of the model to adapt.
        data: recordings, see `read_recordings`.
        out: folder of the result.
        method: see `AdaptationConfig`; None for what suits the amount of speech.
        settings: ``key=value`` over the method's.
        language: which head; may be None if there is only one.
        lexicon: of the words; None for the source's own.
        new_words: out-of-vocabulary words, with their pronunciations.
        missing_phones: of the lexicon, that the model lacks; see `fit_lexicon`.
        lm: the language model, or None.
        own_lm: ``lm`` is the source's own, which says which words of its lexicon are looked for.
        decoding: settings of the search; None for the source's.
        test: held-out recordings of the same speaker, or None.
        replay: speech that the source was trained on, with transcripts and features, for methods that repeat some of
            it; None for what its config names, if that is there.
        source_speech: recordings of the speakers that the source was made for, to see what was forgotten, or None.
        unsupervised: train on what the source recognises, even if there are transcripts.
        confidence: mean confidence of the words from which on an utterance without transcript is trained on.
        channel: of recordings with several, ``"mix"``, ``"first"`` or a number from 0; None for the features' own.
        allow_pipes: run the commands of ``wav.scp``.
        overwrite: replace another result in ``out``.
        export: export the result into ``out``, so that it recognises speech without TensorFlow.
        name: that the source was called by, for the user; empty for its path.
    """

    source: Path
    data: Path
    out: Path
    method: str | None = None
    settings: tuple[str, ...] = ()
    language: str | None = None
    lexicon: Lexicon | None = None
    new_words: Lexicon | None = None
    missing_phones: MissingPhones = "nearest"
    lm: NgramModel | None = None
    own_lm: bool = False
    decoding: DecodingConfig | None = None
    test: Path | None = None
    replay: Path | None = None
    source_speech: Path | None = None
    unsupervised: bool = False
    confidence: float = 0.7
    channel: str | int | None = None
    allow_pipes: bool = False
    overwrite: bool = False
    export: bool = True
    name: str = ""

    @property
    def called(self) -> str:
        """What a command calls the source by."""
        return self.name or str(self.source)


def read_request(
    source: Path,
    data: Path,
    out: Path,
    *,
    settings: Sequence[str] = (),
    language: str | None = None,
    lexicon: Path | None = None,
    add_words: Sequence[str] = (),
    notation: Notation = "ipa",
    g2p: Path | None = None,
    rules: str | None = None,
    lm: Path | None = None,
    config: Path | None = None,
    **fields: Any,
) -> Request:
    """Make a request of files.

    Args:
        source: experiment directory of the model to adapt.
        data: recordings, see `read_recordings`.
        out: folder of the result.
        settings: ``key=value`` over the method's, and ``decoding.key=value``.
        language: which head; may be None if there is only one.
        lexicon: a file; None for the source's own.
        add_words: ``WORD=PHONES``, or ``WORD`` to have its phones guessed.
        notation: how ``lexicon`` and ``add_words`` write phones.
        g2p: a grapheme-to-phoneme model; with it, words of the transcripts that the lexicon lacks are guessed.
        rules: the same with the spelling rules of a language.
        lm: a language model.
        config: a TOML file whose ``[decoding]`` overrides the source's.
        **fields: the other fields of `Request`.

    Raises:
        SpeechtlError: a file is missing or wrong, or a word cannot be read or guessed.
    """
    # What is mistaken is told before TensorFlow is loaded, which takes seconds.
    mine = [setting for setting in settings if setting.startswith("decoding.")]
    of_method = tuple(setting for setting in settings if setting not in mine)
    if fields.get("method") is not None:
        choose_config(0.0, fields["method"], of_method)
    for place in (data, *(fields.get(name) for name in ("test", "source_speech", "replay"))):
        if place is not None:
            kind_of_source(place)
    kept = ExperimentDirectory(source)
    name = kept.data_of(language or kept.default_language).language
    given = None
    if lexicon is not None:
        given = guessed_lexicon(lexicon, g2p, rules) or kept.read_lexicon(lexicon, language, notation)
    known = given or (kept.own_lexicon(name) if kept.lexicon(name).is_file() else Lexicon())
    # A language that is none of the model's has the phones of its lexicon.
    new = given is not None and language not in (*kept.phone_tables(), *([None] if len(kept.languages) < 2 else []))
    inventory = PhoneInventory(sorted(known.phones())) if new else kept.inventory(name)
    guess = None
    if g2p or rules or any("=" not in word for word in add_words):
        guess = choose_pronouncer(known, model=g2p, rules=rules)
    transcripts = data if g2p or rules else None
    words = new_words(known, inventory, add_words, guess, notation, transcripts)
    own_lm = lm is None and given is None and kept.language_model(name).is_file()
    lm = kept.language_model(name) if own_lm else lm
    language_model = read_language_model(lm) if lm else None
    if not own_lm:
        tell_coverage(language_model, _with(known, words), str(lm), str(lexicon or "the lexicon"))
    return Request(
        source=source,
        data=data,
        out=out,
        settings=of_method,
        language=language,
        lexicon=given,
        new_words=words,
        lm=language_model,
        own_lm=own_lm,
        decoding=kept.decoding_config(config, mine),
        **fields,
    )


def _with(lexicon: Lexicon, words: Lexicon | None) -> Lexicon:
    """Return the words of both."""
    both = Lexicon()
    for one in (lexicon, words):
        both.merge(one or Lexicon())
    return both
