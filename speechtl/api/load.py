"""``speechtl.load``: a trained model, ready for audio."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath, optional_path, recogniser_path
from speechtl.api.words import read_vocabulary

if TYPE_CHECKING:
    from speechtl.lang.lexicon import Notation
    from speechtl.lang.phone_mapping import MissingPhones
    from speechtl.recognition.recogniser import Recogniser


def load(
    model: StrPath,
    *,
    lexicon: StrPath | None = None,
    add_words: Sequence[str] = (),
    notation: "Notation" = "ipa",
    missing_phones: "MissingPhones" = "nearest",
    g2p: StrPath | None = None,
    rules: str | None = None,
    lm: StrPath | None = None,
    grammar: StrPath | None = None,
    inventory: StrPath = "auto",
    words: bool | None = None,
    language: str | None = None,
    speaker: StrPath | None = None,
    one_speaker: bool = False,
    whole: bool = False,
    config: StrPath | None = None,
    settings: Sequence[str] = (),
    nbest: int = 1,
    jobs: int | None = None,
) -> "Recogniser":
    """Load a trained model, ready to transcribe audio.

    Args:
        model: the experiment directory, or the name of a model that comes with speechtl (``"base"``); a
            `Path` is always a path.
        lexicon: pronunciations of the words to find, a file or a folder with ``LANGUAGE.txt``; by default the lexicon
            that the model was trained with.
        add_words: more words, ``"WORD=PHONES"``, or ``"WORD"`` to have its phones guessed; see also
            `Recogniser.add_word`.
        notation: how ``lexicon`` and added words write phones.
        missing_phones: of the lexicon, that the model lacks: take the ``"nearest"`` that it has, or ``"refuse"``.
        g2p: a grapheme-to-phoneme model to guess with; by default one is trained on the lexicon when it is needed.
        rules: in its place, the code of a language whose spelling rules are used.
        lm: a language model, ARPA or a trie of KenLM; by default any word may follow any word.
        grammar: in its place, a grammar of commands, JSGF or OpenFst text.
        inventory: ``"auto"``: those of a trained head, or of the lexicon where its language is none of a model with
            ``attributes``; ``"model"``, the phones of a trained head; with a model of the transfer method
            ``attributes`` also ``"lexicon"``, all phones of the lexicon, in training or not, ``"all"``, those of all
            languages of the model, or a file of phones in IPA.
        words: False for phones alone; True to insist on a lexicon; None for words if there is a lexicon.
        language: of the model's; by default the only one, or that which is recognised in each segment.
        speaker: adapted layers of the speaker, to put on top.
        one_speaker: all recordings are of one speaker, and normalised together.
        whole: recordings are not cut at pauses.
        config: a TOML file whose ``[decoding]`` overrides the experiment's, and whose ``[segmentation]`` is used.
        settings: ``"decoding.key=value"`` and ``"segmentation.key=value"`` over both.
        nbest: length of the N-best lists; of phones alone, how many phones are listed at each place.
        jobs: threads of the search; by default as many as there are processors.

    Raises:
        SpeechtlError: the model, the lexicon or another file is missing or wrong, or options do not fit each other.
    """
    from speechtl.recognition.recogniser import Recogniser, RecogniserOptions

    vocabulary = read_vocabulary(lexicon, add_words, notation, missing_phones, g2p, rules, lm, grammar, inventory)
    options = RecogniserOptions(
        speaker=optional_path(speaker),
        language=language,
        words=words,
        whole=whole,
        one_speaker=one_speaker,
        nbest=nbest,
        jobs=jobs,
        config=optional_path(config),
        settings=tuple(settings),
    )
    return Recogniser.load(recogniser_path(model, speaker), vocabulary, options)
