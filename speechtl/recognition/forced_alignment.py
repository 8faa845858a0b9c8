"""Forced alignment of a data directory with a trained model."""

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from speechtl.alignment.align_corpus import WORTH_REFINING, CorpusAlignment, align_corpus_by
from speechtl.alignment.config import AlignmentConfig
from speechtl.alignment.corpus import Corpus
from speechtl.alignment.ctc_aligner import CtcAligned, CtcAligner
from speechtl.errors import ConfigError, list_problems, quantity
from speechtl.exchange.recordings import DATA, recordings_to_recognise
from speechtl.experiment.directory import no_lexicon
from speechtl.experiment.language_choice import open_language
from speechtl.experiment.speech_model import SpeechModel
from speechtl.g2p.new_words import guess_pronunciations
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.missing_words import in_known_spelling, is_tag
from speechtl.lock import alone_in
from speechtl.pieces import Here, Workers, spread
from speechtl.recognition.alignment_results import write_alignment
from speechtl.recognition.batch_aligner import BatchAligner, TranscribedBatch
from speechtl.recognition.load_model import load_model
from speechtl.recognition.vocabulary import Vocabulary

logger = logging.getLogger(__name__)

# Words of a lexicon from which others can be guessed well enough to be found in time.
_DICTIONARY = 5000
_EXAMPLES = 5
_FIRST_FRAMES = 60_000.0  # Of a piece, before it is known how long that takes: ten minutes of speech.


@dataclasses.dataclass(frozen=True)
class AlignRequest:
    """What is to be aligned, and how.

    Attributes:
        model: experiment directory.
        data: recordings with transcripts, see `recordings_to_recognise`.
        out: folder of the results.
        vocabulary: pronunciations of the words of the transcripts.
        phones: transcripts are phones of the model; no lexicon is used.
        language: of the model's; None for the only one, or for that of the lexicon with a model that scores any
            phone.
        speaker: a speaker's layers to put on top of the model.
        refine: boundaries are refined with phone models trained on the data: if there is enough speech, or in any case.
        textgrids: also write a TextGrid of each utterance.
        channel: of recordings with several whose features are not there yet, see `read_recordings`.
        allow_pipes: run the commands of their ``wav.scp``.
        jobs: threads.
    """

    model: Path
    data: Path
    out: Path
    vocabulary: Vocabulary = dataclasses.field(default_factory=Vocabulary)
    phones: bool = False
    language: str | None = None
    speaker: Path | None = None
    refine: Literal["auto", "always", "never"] = "auto"
    textgrids: bool = True
    channel: str | int | None = None
    allow_pipes: bool = False
    jobs: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigError: says which options.
        """
        if self.phones and (self.vocabulary.lexicon is not None or self.vocabulary.add_words):
            raise ConfigError("--phones says that transcripts are phones; leave --lexicon and --add-word out")


def align_data(request: AlignRequest, workers: Workers | None = None) -> CorpusAlignment:
    """Align transcripts with their speech, and write when each word and phone was said.

    Writes into ``out``: ``ctm``, ``phones.ctm``, ``textgrid/`` and ``log.jsonl``; where there were no features, these
    and the tables in ``data/``. Utterances that cannot be aligned are listed in the result and logged; all others
    are aligned.

    Args:
        request: what, and how.
        workers: that align by CTC; None for this process, which in any case refines.

    Raises:
        SpeechtlError: the model, the data or the lexicon are missing or wrong; no utterance could be aligned.
    """
    with alone_in(request.out):
        return _align(request, workers or Here())


def _align(request: AlignRequest, workers: Workers) -> CorpusAlignment:
    experiment = load_model(request.model, request.speaker)
    vocabulary = request.vocabulary
    lexicon = None if request.phones else _lexicon(vocabulary, experiment, request.language)
    language = open_language(experiment, request.language, lexicon if vocabulary.lexicon else None)
    if lexicon is not None:
        vocabulary.extend(lexicon, experiment.inventory(language))
    recordings = recordings_to_recognise(
        request.data,
        request.out / DATA,
        experiment.features,
        channel=request.channel,
        allow_pipes=request.allow_pipes,
        need_text=True,
    )
    data = recordings.data
    if lexicon is not None:
        data.text, changed = in_known_spelling(data.text, lexicon)
        for line in changed + _guess_others(vocabulary, lexicon, data.text):
            logger.info(f"{request.data}: {line}")
    corpus = Corpus(
        data,
        experiment.inventory(language),
        lexicon,
        experiment.features,
        experiment.subsampling,
        request.vocabulary.missing_phones,
    )
    config = AlignmentConfig(
        silence_phone=experiment.directory.decoding_config().silence_phone, refine=request.refine, jobs=request.jobs
    )
    lexicons = [vocabulary.lexicon] if vocabulary.lexicon else []
    workers.require([request.model, data.path, request.speaker, *lexicons])

    def align(aligner: CtcAligner) -> Iterable[CtcAligned]:
        aligns = BatchAligner(request.model, request.speaker, language, aligner)
        aligns.model = experiment
        batches = [
            TranscribedBatch(batch, tuple(corpus.spoken(one.id) for one in batch))
            for batch in experiment.plan(data.path)
        ]
        return spread(workers, aligns, batches, lambda batch: batch.work, _FIRST_FRAMES)

    alignment = align_corpus_by(align, corpus, config)
    alignment = dataclasses.replace(alignment, problems=alignment.problems | recordings.left_out)
    write_alignment(request.out, alignment, data, textgrids=request.textgrids)
    _report(request, alignment)
    return alignment


def _lexicon(vocabulary: Vocabulary, experiment: SpeechModel, wanted: str | None) -> Lexicon:
    """Return the words that were given, or those of the language that is meant."""
    language = wanted if vocabulary.lexicon else experiment.language(wanted)
    lexicon = vocabulary.words(experiment.directory, language)
    if lexicon is None:
        path = experiment.directory.lexicon(str(language))
        raise no_lexicon(path, str(language), ", or align transcripts of phones with --phones")
    return lexicon


def _guess_others(vocabulary: Vocabulary, lexicon: Lexicon, texts: Mapping[str, str]) -> list[str]:
    """Add words of transcripts that a lexicon lacks, as they are guessed; return lines for the user, none or one."""
    words = {word for text in texts.values() for word in text.split() if word not in lexicon and not is_tag(word)}
    if not words or not (vocabulary.g2p or vocabulary.rules or len(lexicon) >= _DICTIONARY):
        return []
    pronouncer = vocabulary.pronouncer(lexicon)
    if pronouncer is None:
        return []
    guesses = guess_pronunciations(sorted(words), pronouncer).lexicon
    lexicon.merge(guesses)
    listed = [f"{word} {' '.join(said[0].phones)}" for word, said in guesses.entries.items()]
    more = f" and {len(listed) - _EXAMPLES} more" if len(listed) > _EXAMPLES else ""
    advice = "; say how they are pronounced with --add-word WORD=PHONES"
    return [f"pronunciations guessed: {', '.join(listed[:_EXAMPLES])}{more}{advice}"] if listed else []


def _report(request: AlignRequest, alignment: CorpusAlignment) -> None:
    if alignment.problems:
        listed = [f"{utterance}: {problem}" for utterance, problem in alignment.problems.items()]
        logger.warning(
            list_problems(f"{request.data}: {quantity(len(listed), 'utterance')} could not be aligned", listed)
        )
    if alignment.refined:
        coarse = sum(not one.refined for one in alignment.utterances.values())
        how = "boundaries refined on this speech" + (f" (not in {coarse} utterances)" if coarse else "")
    else:
        why = f" (less than {WORTH_REFINING:g} s of speech)" if request.refine == "auto" else ""
        how = f"boundaries of the model, not refined{why}"
    minutes = alignment.seconds / 60
    logger.info(f"{request.out}: {quantity(len(alignment.utterances), 'utterance')}, {minutes:.1f} minutes, {how}")
