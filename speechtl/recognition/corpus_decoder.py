"""Decode recordings: phones, and words through a vocabulary."""

import contextlib
import logging
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np

from speechtl.decoding.tune import parse_grid, tune
from speechtl.errors import ConfigError, DataError, counted, list_problems, quantity
from speechtl.exchange.read_source import read_source
from speechtl.exchange.recordings import DATA, Recordings, recordings_to_recognise
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.features.archives import write_ark_scp
from speechtl.grammar.ngram_model import NgramModel
from speechtl.grammar.word_graph import WordGraph
from speechtl.lang.lexicon import Lexicon
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lock import alone_in
from speechtl.pieces import Here, Workers, spread
from speechtl.progress import progress_bar
from speechtl.recognition import decoded
from speechtl.recognition.batch_decoder import BatchDecoder, DecodedUtterance
from speechtl.recognition.decode_request import DecodeRequest
from speechtl.recognition.decoded import Decoded
from speechtl.recognition.inventory_choice import InventoryChoice, choose_phones, settle_inventory
from speechtl.recognition.posteriors import NEW_LANGUAGE, Posteriors, SpokenBatch
from speechtl.recognition.spoken_language import SpokenLanguage, describe_languages

logger = logging.getLogger(__name__)

_FIRST_FRAMES = 60_000.0  # Of a piece, before it is known how long that takes: ten minutes of speech.


def decode_corpus(request: DecodeRequest, workers: Workers | None = None) -> Decoded:
    """Decode utterances, and write what was found.

    Writes into ``out``: ``phones`` and ``phones.ctm``; with words ``text``, ``log.jsonl`` (scores and alternatives) and
    ``ctm``; ``decoding.toml`` with the settings, and ``tuned.toml`` and ``tuning.jsonl`` where they were tuned;
    ``utt2lang`` where languages were recognised; ``data/`` where there were no features. What a user should know is
    logged, also which utterances could not be decoded; all others are.

    Args:
        request: what, and how.
        workers: that compute posteriors and search; None for this process.

    Raises:
        ConfigError: options that do not fit each other or the model.
        SpeechtlError: model, data, lexicon, language model or grammar are missing or wrong.
    """
    with alone_in(request.out):
        return CorpusDecoder(request).run(workers or Here())


class CorpusDecoder:
    """One decoding, step by step."""

    def __init__(self, request: DecodeRequest):
        """Read what is needed but the model, and compute the features that are."""
        self.request = request
        self.directory = ExperimentDirectory(request.model)
        self.config = self.directory.decoding_config(request.config, request.settings)
        self.points = parse_grid(request.grid)
        self.recordings = self._recordings(request.data, DATA, need_text=False)
        self.data = self.recordings.data
        self.source = Posteriors(request.model, request.posteriors, request.speaker)
        self.inventory = self._inventory()
        self.new_phones = self.inventory != "model"
        self.spoken = self._spoken()
        self.languages = self._languages()

    def run(self, workers: Workers) -> Decoded:
        """Decode and write; see `decode_corpus`."""
        request = self.request
        lexicons = self._lexicons()
        decoder = BatchDecoder(
            self.source,
            self.inventories,
            lexicons,
            request.vocabulary,
            self.config,
            nbest=request.nbest,
            times=request.times,
            jobs=request.jobs,
            keep=request.save_posteriors is not None,
        )
        rules = decoder.rules
        if self.config.mode == "embedding":
            return self._by_embedding(lexicons, rules)
        if request.tune_on is not None:
            self._tune(request.tune_on, lexicons, rules)
            decoder.config = self.config
        workers.require([request.model, self.data.path, request.speaker, request.vocabulary.lm, *request.posteriors])
        found = self._search(decoder, workers)
        decoded.write(request.out, found, self.directory.frame_shift if request.times else None)
        self._report(found)
        return found

    def _recordings(self, path: Path, folder: str, *, need_text: bool) -> Recordings:
        """Return recordings with features, unless posteriors take their place."""
        request = self.request
        if request.posteriors:
            data, _ = read_source(path)
            return Recordings(data, data.text, {})
        return recordings_to_recognise(
            path,
            request.out / folder,
            self.directory.features,
            channel=request.channel,
            allow_pipes=request.allow_pipes,
            need_text=need_text,
        )

    @cached_property
    def inventories(self) -> dict[str, PhoneInventory]:
        """The phones of each language."""
        if self.source.new_phones is not None:
            return {NEW_LANGUAGE: self.source.new_phones}
        return {name: self.directory.inventory(name) for name in self.languages}

    def _inventory(self) -> InventoryChoice:
        """Return which phones: of a language that is none of the model's, those of its lexicon, or all."""
        vocabulary, language = self.request.vocabulary, self.request.language
        told = language is None and (len(self.directory.languages) < 2 or bool(self.data.utt2lang))
        if vocabulary.inventory == "auto" and (told or self.request.posteriors or self.config.mode == "embedding"):
            return "model"
        given = vocabulary.lexicon is not None and (language is not None or not vocabulary.lexicon.is_dir())
        words = self.request.with_words
        return settle_inventory(
            vocabulary.inventory, lambda: self.source.model, language, lexicon=given and words, words=words
        )

    def _spoken(self) -> dict[str, SpokenLanguage]:
        """Return the language of each utterance where it is not one for all."""
        request = self.request
        searched = not request.posteriors and not self.new_phones and self.config.mode != "embedding"
        if request.language is not None or len(self.directory.languages) < 2 or not searched:
            return {}
        if self.directory.default_language and not self.data.utt2lang and not self.source.model.recognised_languages:
            return {}
        from speechtl.recognition.language_identifier import spoken_languages

        return spoken_languages(self.source.model, self.data.path)

    def _languages(self) -> list[str]:
        if self.spoken:
            languages = sorted({spoken.name for spoken in self.spoken.values()})
        else:
            language = self.request.language
            if self.new_phones:
                # The first language says how lexicons are read where any may be decoded.
                languages = [language or self.directory.languages[0]]
            else:
                languages = [self.directory.language(language)]
        if len(languages) > 1 and (self.request.vocabulary.of_one_language or self.request.tune_on):
            raise ConfigError(
                "--lm, --grammar, --tune, --add-word and the file of a --lexicon are of one language; name it with "
                f"--language ({', '.join(self.directory.languages)})"
            )
        return languages

    def _lexicons(self) -> dict[str, Lexicon]:
        """Return the words by language, none where phones alone are wanted."""
        vocabulary, lexicons = self.request.vocabulary, dict[str, Lexicon]()
        if self.request.with_words:
            lexicons = {name: vocabulary.words(self.directory, name) or Lexicon() for name in self.languages}
        if self.new_phones:
            words = lexicons.get(self.languages[0])
            known = (self.directory.inventory(name) for name in self.directory.languages)
            self.source.score_phones(choose_phones(self.inventory, words, known))
            lexicons, self.languages = {} if words is None else {NEW_LANGUAGE: words}, [NEW_LANGUAGE]
        return {name: vocabulary.fit(lexicon, self.inventories[name]) for name, lexicon in lexicons.items()}

    def _tune(self, directory: Path, lexicons: dict[str, Lexicon], rules: NgramModel | WordGraph | None) -> None:
        """Choose the settings on held-out speech."""
        (name,) = self.languages
        inventory = self.inventories[name]
        held_out = self._recordings(directory, f"{DATA}_tune", need_text=True)
        posteriors, references = dict(self.source.of(held_out.data.path, name, len(inventory) + 1)), held_out.text
        tuning = tune(
            posteriors, references, lexicons[name], inventory, rules, self.config, self.points, jobs=self.request.jobs
        )
        self.config = tuning.config
        chosen = ", ".join(f"{setting} {value:g}" for setting, value in tuning.best.values.items())
        logger.info(f"{directory}: WER {100 * tuning.best.rate:.2f} % with {chosen}")
        logger.info(f"{directory}: {decoded.describe(tuning.confidence)} (cross-validated)")
        decoded.write_tuning(self.request.out, tuning)

    def _search(self, decoder: BatchDecoder, workers: Workers) -> Decoded:
        request = self.request
        with contextlib.ExitStack() as stack:
            advance = stack.enter_context(progress_bar("decoding", len(self.data)))
            keep: Callable[[str, np.ndarray], object] | None = None
            if request.save_posteriors:
                ark = (request.save_posteriors / "posteriors.ark").absolute()
                keep = stack.enter_context(write_ark_scp(ark, ark.with_suffix(".scp")))
            started = time.monotonic()
            every: list[DecodedUtterance] = []
            problems = dict(self.recordings.left_out)
            for one in spread(workers, decoder, self._batches(), lambda batch: batch.work, _FIRST_FRAMES):
                if one.problem:
                    problems[one.id] = one.problem
                else:
                    every.append(one._replace(posteriors=None))
                if keep is not None and one.posteriors is not None:
                    keep(one.id, one.posteriors)
                advance()
            if not every:
                wanted = "stored posteriors" if request.posteriors else "features"
                listed = [f"utterance {name}: {problem}" for name, problem in sorted(problems.items())]
                message = f"{request.data}: no utterance has {wanted}; nothing to decode"
                raise DataError(list_problems(f"{request.data}: nothing can be decoded", listed) if listed else message)
        return Decoded(
            out=request.out,
            config=self.config,
            data=self.data,
            phones={one.id: one.phones for one in every},
            frames={one.id: one.frames for one in every},
            hypotheses={one.id: list(one.hypotheses) for one in every} if decoder.lexicons else {},
            spoken={one.id: self.spoken[one.id] for one in every} if self.spoken else {},
            seconds=time.monotonic() - started,
            phones_alone={one.id: one.alone for one in every if one.alone is not None},
            problems=problems,
        )

    def _batches(self) -> list[SpokenBatch]:
        """Return the utterances of all languages in batches."""
        batches = []
        for name in self.languages:
            own = {utterance for utterance, one in self.spoken.items() if one.name == name} if self.spoken else None
            batches += self.source.plan(self.data.path, name, own)
        return batches

    def _by_embedding(self, lexicons: dict[str, Lexicon], rules: NgramModel | WordGraph | None) -> Decoded:
        """Find the words whose pronunciations are nearest to the utterances."""
        request = self.request
        if not lexicons or rules is not None or request.tune_on or request.posteriors:
            wanted = "give --lexicon, and none of --lm, --grammar, --tune and --posteriors"
            raise ConfigError(f'decoding.mode = "embedding" compares whole utterances with pronunciations; {wanted}')
        from speechtl.recognition.nearest_word import nearest_words

        started = time.monotonic()
        words = lexicons[self.languages[0]]
        every = sorted(nearest_words(self.source.model, self.data.path, words, request.nbest, request.speaker))
        if not every:
            raise DataError(f"{request.data}: no utterance has features; nothing to decode")
        found = Decoded(
            out=request.out,
            config=self.config,
            data=self.data,
            phones={},
            frames={utterance: length for utterance, length, _ in every},
            hypotheses={utterance: best for utterance, _, best in every},
            spoken={},
            seconds=time.monotonic() - started,
        )
        decoded.write(request.out, found, None)
        logger.info(f"{request.out}: {quantity(len(every), 'utterance')}")
        return found

    def _report(self, found: Decoded) -> None:
        """Log how it went."""
        request, data = self.request, self.request.data
        if self.spoken:
            logger.info(f"{request.out}: {describe_languages(self.spoken)}")
        if found.calibration is not None:
            logger.info(f"{request.out}: {decoded.describe(found.calibration)}")
        if found.problems:
            listed = [f"{utterance}: {problem}" for utterance, problem in sorted(found.problems.items())]
            logger.warning(list_problems(f"{data}: {quantity(len(listed), 'utterance')} could not be decoded", listed))
        missing = sorted(set(self.data.utterance_ids) - found.frames.keys() - found.problems.keys())
        if missing:
            lacking = "stored posteriors" if request.posteriors else "features"
            names = dict.fromkeys(missing, "")
            logger.warning(f"{data}: {counted(f'no {lacking}, not decoded', names, 'utterance')}")
        cut = sorted(utterance for utterance, best in found.hypotheses.items() if best and not best[0].complete)
        if cut:
            heading = "no word ended in the last frame of these utterances (too short, or decoding.beam too narrow):"
            logger.warning(list_problems(heading, cut, limit=20))
        frames = sum(found.frames.values())
        logger.info(
            f"{request.out}: {quantity(len(found.frames), 'utterance')}, {frames} frames of posteriors, "
            f"{found.seconds:.1f} s"
        )
