"""What is to be decoded, and how."""

import dataclasses
from pathlib import Path

from speechtl.errors import ConfigError
from speechtl.recognition.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class DecodeRequest:
    """What is to be decoded, and how.

    Attributes:
        model: experiment directory.
        data: recordings, see `recordings_to_recognise`.
        out: folder of the results.
        vocabulary: the words; a vocabulary without lexicon and added words finds phones alone.
        language: of the model's; None for the only one, what ``utt2lang`` says, or what is recognised.
        speaker: a speaker's layers to put on top of the model.
        config: a TOML file whose ``[decoding]`` goes over the experiment's.
        settings: ``decoding.key=value`` over both.
        tune_on: data directory with transcripts on which weights and penalties are chosen first.
        grid: with it, the values to try of a setting: ``lm_weight=0.5,1,2``.
        posteriors: scp tables of stored posteriors; the model is not run.
        save_posteriors: folder that keeps the posteriors.
        nbest: hypotheses for each utterance, at most.
        times: also find the times of words and phones.
        channel: of recordings with several whose features are not there yet, see `read_recordings`.
        allow_pipes: run the commands of their ``wav.scp``.
        jobs: threads of the search; None for as many as there are processors.
    """

    model: Path
    data: Path
    out: Path
    vocabulary: Vocabulary = dataclasses.field(default_factory=Vocabulary)
    language: str | None = None
    speaker: Path | None = None
    config: Path | None = None
    settings: tuple[str, ...] = ()
    tune_on: Path | None = None
    grid: tuple[str, ...] = ()
    posteriors: tuple[Path, ...] = ()
    save_posteriors: Path | None = None
    nbest: int = 1
    times: bool = True
    channel: str | int | None = None
    allow_pipes: bool = False
    jobs: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigError: says which options.
        """
        vocabulary = self.vocabulary
        if not self.with_words and (vocabulary.lm or vocabulary.grammar or self.tune_on):
            raise ConfigError("--lm, --grammar and --tune are about words; give their pronunciations with --lexicon")
        if self.grid and self.tune_on is None:
            raise ConfigError("--grid is what --tune tries; give a data directory with --tune")
        if self.speaker and self.posteriors:
            raise ConfigError("--speaker changes the model, which --posteriors does not run; give one of them")

    @property
    def with_words(self) -> bool:
        """Whether words are looked for."""
        return self.vocabulary.lexicon is not None or bool(self.vocabulary.add_words)
