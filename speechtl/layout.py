"""Every name in an experiment directory, once.

An experiment directory stands alone: ``config.toml`` (every value written out), ``phones/HEAD.txt``,
``lexicon/LANGUAGE.txt``, ``cmvn.h5`` where normalisation is global, ``weights.h5`` once training has ended,
``log.jsonl``, ``tensorboard/``, and ``state/`` from which a killed run continues. A speaker's directory, made by
``speechtl adapt``, may hold ``speaker.h5`` alone. An encoder that ``speechtl import`` made has ``config.toml`` without
``[[data]]``, ``weights.h5`` and a model card, ``README.md``. One that is made of a model in the package may have
``lm/LANGUAGE.arpa.gz``.
"""

from pathlib import Path


class ExperimentLayout:
    """The paths in an experiment directory; nothing is read or checked.

    Attributes:
        path: the directory.
    """

    path: Path

    def __init__(self, path: "str | Path | ExperimentLayout"):
        self.path = path.path if isinstance(path, ExperimentLayout) else Path(path)

    @property
    def config(self) -> Path:
        """The config, written last: its presence says that phones and lexicons are there."""
        return self.path / "config.toml"

    @property
    def weights(self) -> Path:
        """The final weights; their presence says that training has ended."""
        return self.path / "weights.h5"

    @property
    def card(self) -> Path:
        """The model card of an encoder that was imported."""
        return self.path / "README.md"

    @property
    def speaker(self) -> Path:
        """The layers of one speaker, to be put on top of another experiment."""
        return self.path / "speaker.h5"

    @property
    def cmvn(self) -> Path:
        """Statistics of the training speech, where normalisation is global."""
        return self.path / "cmvn.h5"

    @property
    def log(self) -> Path:
        """The training log, one JSON object per line."""
        return self.path / "log.jsonl"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's events."""
        return self.path / "tensorboard"

    @property
    def checkpoint(self) -> Path:
        """The state that a killed training continues from."""
        return self.path / "state" / "checkpoint.h5"

    def epoch_weights(self, epoch: int) -> Path:
        """Return the weights after an epoch, kept until they are averaged."""
        return self.path / "state" / f"epoch-{epoch:04d}.h5"

    def phones(self, head: str) -> Path:
        """Return the phone table of a head."""
        return self.path / "phones" / f"{head}.txt"

    def phone_tables(self) -> dict[str, Path]:
        """Return the phone tables that are there, by head, sorted."""
        return {path.stem: path for path in sorted((self.path / "phones").glob("*.txt"))}

    def language_model(self, language: str) -> Path:
        """Return the language model that words of `lexicon` are found with unless another is given; few have one."""
        return self.path / "lm" / f"{language}.arpa.gz"

    def lexicon(self, language: str) -> Path:
        """Return the lexicon that a language was trained with."""
        return self.path / "lexicon" / f"{language}.txt"
