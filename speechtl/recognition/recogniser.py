"""A trained model with its vocabulary, ready for audio: what ``speechtl.load`` returns."""

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from speechtl.audio.voice_activity import SegmentationConfig
from speechtl.decoding.config import DecodingConfig
from speechtl.decoding.lexicon_decoder import LexiconDecoder
from speechtl.errors import ConfigError
from speechtl.experiment.directory import only
from speechtl.experiment.speech_model import SpeechModel
from speechtl.g2p.new_words import NewWord, Pronouncer, parse_new_word
from speechtl.lang.lexicon import Lexicon
from speechtl.recognition.inventory_choice import InventoryChoice, choose_phones, settle_inventory
from speechtl.recognition.language_identifier import LanguageIdentifier
from speechtl.recognition.load_model import load_model
from speechtl.recognition.posteriors import NEW_LANGUAGE
from speechtl.recognition.recogniser_options import RecogniserOptions
from speechtl.recognition.stream import Stream
from speechtl.recognition.stream_factory import StreamFactory
from speechtl.recognition.streamed_posteriors import Windows
from speechtl.recognition.transcriber import Transcriber
from speechtl.recognition.transcript import Audio, Recording, SpokenPhone, Transcript
from speechtl.recognition.vocabulary import Vocabulary, make_decoder, missing_lexicon

logger = logging.getLogger(__name__)


class Recogniser:
    """A trained model with a vocabulary that can grow.

    Attributes:
        experiment: the model.
        languages: that may be spoken; the language of each segment is recognised where they are several.
        decoders: by language, what finds its words; empty where phones alone are recognised.
    """

    def __init__(
        self, experiment: SpeechModel, vocabulary: Vocabulary | None = None, options: RecogniserOptions | None = None
    ):
        """Make a model ready.

        Raises:
            ConfigError, LexiconError: the vocabulary or the options do not fit the model.
            ModelError: the model lacks the language, or has several, none was named and it cannot recognise them.
        """
        self.experiment = experiment
        self.vocabulary = vocabulary or Vocabulary()
        self.options = options or RecogniserOptions()
        only(("decoding", "segmentation"), self.options.settings)
        self._lexicons: dict[str, Lexicon] = {}
        self.languages = self._languages()
        self._pronouncers: dict[str, Pronouncer | None] = {}
        self.decoders = self._decoders() if self.options.words is not False else {}
        self._transcriber: Transcriber | None = None
        self._streams: StreamFactory | None = None
        self._windows: dict[str, Windows] = {}

    @classmethod
    def load(
        cls, model: str | Path, vocabulary: Vocabulary | None = None, options: RecogniserOptions | None = None
    ) -> "Recogniser":
        """Load a model and make it ready; see `load_model` for what else may be wrong."""
        return cls(load_model(model, options.speaker if options else None), vocabulary, options)

    def transcribe(self, audio: Audio | Recording, rate: int | None = None) -> Transcript:
        """Transcribe one recording.

        Args:
            audio: a path, an open binary file, or samples ``(samples,)`` or ``(samples, channels)``: floating-point in
                [-1, 1], or 16-bit integers.
            rate: Hz, of samples.

        Raises:
            DataError: the audio cannot be read.
        """
        recording = Recording.of(audio, rate)
        (transcript,) = self.transcribe_all([recording])
        if transcript.error is not None:
            raise transcript.error
        return transcript

    def transcribe_all(
        self,
        recordings: Iterable[Audio | Recording],
        advance: Callable[[float], object] = lambda seconds: None,
    ) -> Iterator[Transcript]:
        """Transcribe any number of recordings; segments of several pass through the model together.

        Args:
            recordings: paths, open files or `Recording`; read one after the other.
            advance: called with the seconds of audio that were transcribed since the last call.

        Yields:
            A transcript for each, in order; one that cannot be read has its ``error`` and what could be read.
        """
        every = (Recording.of(one) for one in recordings)
        return self._ready().transcribe_all(every, advance)

    def phones(self, audio: Audio | Recording, rate: int | None = None) -> list[SpokenPhone]:
        """Return the phones of a recording in time, found without any lexicon; see `transcribe` for the arguments."""
        recording = Recording.of(audio, rate)
        (transcript,) = self._ready().transcribe_all([recording], phones_alone=True)
        if transcript.error is not None:
            raise transcript.error
        return transcript.spoken_phones

    def stream(self, rate: int = 16000, *, language: str | None = None) -> Stream:
        """Begin to recognise speech that is still coming in.

        Words that are added later are found from the next segment on. Streams are independent of each other, also in
        several threads.

        Args:
            rate: Hz, of the samples that will come.
            language: that is spoken, where the model has several.

        Raises:
            ConfigError: the rate is impossible, or the language has to be named.
        """
        if self._streams is None:
            settings = self._segmentation(), self._decoding_config(), self.options.nbest
            self._streams = StreamFactory(self.experiment, self.decoders, *settings, self._windows)
        return self._streams.open(rate, self._one_language(language))

    def add_word(
        self, word: str, phones: str | Sequence[str] | None = None, *, language: str | None = None
    ) -> list[tuple[str, ...]]:
        """Add a word, to be found from now on; it takes milliseconds, and no training.

        Args:
            word: as it is written.
            phones: its pronunciation, with spaces between phones (or a sequence); None to have it guessed from the
                spelling: by the vocabulary's ``g2p`` or ``rules``, or by a model that is trained on the lexicon once.
            language: of the word, where the model recognises several.

        Returns:
            The pronunciations, in phones of the model, best first.

        Raises:
            LexiconError: the word has this pronunciation already, or has none and nothing can guess it; phones that
                are none; a word that the grammar does not allow.
            ConfigError: the language has to be named.
        """
        name = self._one_language(language)
        inventory = self.experiment.inventory(name)
        new = self.pronounce(word, phones, language=name)
        decoder = self.decoders.get(name)
        if decoder is None:
            lexicon = Lexicon()
            for option in new.pronunciations:
                lexicon.add(new.word, option.phones, option.probability)
            self.decoders[name] = make_decoder(lexicon, inventory, self._decoding_config(), self.vocabulary)
        else:
            for option in new.pronunciations:
                decoder.add_word(new.word, option.phones, option.probability)
        return [option.phones for option in new.pronunciations]

    def use_grammar(self, grammar: str | Path | None, *, language: str | None = None) -> None:
        """Allow only what a grammar allows, from the next segment or recording on.

        Args:
            grammar: of commands, over the words that there are; None for what was allowed at first.
            language: of the words, where the model recognises several.

        Raises:
            LexiconError: no words are looked for; the grammar is wrong, or allows none of them.
            ConfigError: the language has to be named.
        """
        name, directory = self._one_language(language), self.experiment.directory
        if name not in self.decoders:
            raise missing_lexicon(directory, name)
        first = self.vocabulary.with_own_lm(directory, name)
        vocabulary = first if grammar is None else Vocabulary(grammar=Path(grammar))
        self.decoders[name] = self.decoders[name].with_rules(vocabulary.read_rules)

    def pronounce(
        self, word: str, phones: str | Sequence[str] | None = None, *, language: str | None = None
    ) -> NewWord:
        """Return a word with the pronunciations that `add_word` would add, and does not add it; see there."""
        name = self._one_language(language)
        written = " ".join(phones) if phones is not None and not isinstance(phones, str) else phones
        vocabulary = self.vocabulary.with_own_lm(self.experiment.directory, name)
        known = vocabulary.with_known_phones(word, self._lexicons.get(name, Lexicon()))
        text = known if written is None else f"{word}={written}"
        guess = self._pronouncer(name) if "=" not in text else None
        return parse_new_word(text, guess, self.experiment.inventory(name), notation=self.vocabulary.notation)

    def copy(self) -> "Recogniser":
        """Return a recogniser of the same model, which is shared; words that are added to either are its own."""
        other = copy.copy(self)
        other.decoders = {name: decoder.copy() for name, decoder in self.decoders.items()}
        other._transcriber = other._streams = None
        return other

    def lexicon(self, language: str | None = None) -> Lexicon:
        """Return the words that were there when the recogniser was made, empty where only phones are recognised."""
        return self._lexicons.get(self._one_language(language), Lexicon())

    def _languages(self) -> list[str]:
        model, vocabulary, language = self.experiment, self.vocabulary, self.options.language
        inventory = self._inventory()
        if inventory != "model":
            name = NEW_LANGUAGE if language is None or model.has_head(language) else language
            lexicon = None
            if vocabulary.lexicon is not None:
                lexicon = vocabulary.words(model.directory, self._language_of_lexicon()) or Lexicon()
                self._lexicons[name] = lexicon
            elif self.options.words:
                raise ConfigError(
                    f"--inventory {inventory} says which phones there are, and no words; give --lexicon, or --phones"
                )
            model.add_language(name, choose_phones(inventory, lexicon, model.inventories.values()))
            return [name]
        several = language is None and len(model.languages) > 1
        own = model.directory.default_language
        if several and own and self.options.words is not False and not model.recognised_languages:
            logger.info(f"words of language '{own}'; give a --lexicon of another language, or --phones")
            several = False
        languages = LanguageIdentifier(model).languages if several else [model.language(language)]
        if len(languages) > 1 and vocabulary.of_one_language:
            raise ConfigError(
                "--add-word, --lm, --grammar and the file of a --lexicon are of one language; name it with --language "
                f"({', '.join(languages)})"
            )
        return languages

    def _inventory(self) -> InventoryChoice:
        """Return which phones: of a language that is none of the model's, those of its lexicon, or all."""
        lexicon, language = self.vocabulary.lexicon, self.options.language
        given = lexicon is not None and (language is not None or not lexicon.is_dir())
        return settle_inventory(
            self.vocabulary.inventory,
            lambda: self.experiment,
            language,
            lexicon=given and self.options.words is not False,
            words=self.options.words is not False,
        )

    def _decoders(self) -> dict[str, LexiconDecoder]:
        decoders: dict[str, LexiconDecoder] = {}
        lacking: list[str] = []
        for name in self.languages:
            lexicon = self._lexicons.get(name)
            if lexicon is None:
                lexicon = self.vocabulary.words(self.experiment.directory, name)
            if lexicon is None:
                lacking.append(name)
                continue
            self._lexicons[name] = lexicon
            inventory = self.experiment.inventory(name)
            vocabulary = self.vocabulary.with_own_lm(self.experiment.directory, name)
            decoders[name] = make_decoder(lexicon, inventory, self._decoding_config(), vocabulary)
        if lacking and (decoders or self.options.words):
            raise missing_lexicon(self.experiment.directory, lacking[0])
        return decoders

    def _language_of_lexicon(self) -> str | None:
        """Return the language as whose a lexicon in new phones is read: the first, if none is named."""
        languages: list[str | None] = [self.options.language, *self.experiment.languages, None]
        return next((name for name in languages if name is not None), None)

    def _segmentation(self) -> SegmentationConfig:
        section = self.experiment.directory.section
        return section(SegmentationConfig, "segmentation", self.options.config, self.options.settings)

    def _decoding_config(self) -> DecodingConfig:
        return self.experiment.directory.section(DecodingConfig, "decoding", self.options.config, self.options.settings)

    def _ready(self) -> Transcriber:
        """Return the transcriber, made when it is needed first; it sees words that are added later."""
        if self._transcriber is None:
            options = self.options
            self._transcriber = Transcriber(
                self.experiment,
                self.decoders,
                language=None if len(self.languages) > 1 else self.languages[0],
                segmentation=None if options.whole else self._segmentation(),
                nbest=options.nbest,
                config=self._decoding_config(),
                one_speaker=options.one_speaker,
                jobs=options.jobs,
            )
        return self._transcriber

    def _pronouncer(self, language: str) -> Pronouncer | None:
        if language not in self._pronouncers:
            self._pronouncers[language] = self.vocabulary.pronouncer(self._lexicons.get(language, Lexicon()))
        return self._pronouncers[language]

    def _one_language(self, language: str | None) -> str:
        if language is None and len(self.languages) == 1:
            return self.languages[0]
        if language not in self.languages:
            raise ConfigError(f"language {language}: name the language, one of {', '.join(self.languages)}")
        return language
