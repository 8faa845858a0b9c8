"""An experiment on disk: what can be read of it without its model, and how it is written."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from speechtl.batches.config import DataConfig
from speechtl.config import AnySection, Section, override, parse, read_toml
from speechtl.decoding.config import DecodingConfig
from speechtl.errors import ConfigError, LexiconError, ModelError
from speechtl.experiment.attention_window import attention_window
from speechtl.features.config import FeatureConfig
from speechtl.files import atomic_write, finish_replacing
from speechtl.lang.lexicon import Lexicon, Notation
from speechtl.lang.phone_inventory import PhoneInventory
from speechtl.lang.stored_lexicon import StoredLexicon
from speechtl.layout import ExperimentLayout
from speechtl.models.weight_files import load_arrays, save_arrays


class ExperimentDirectory(ExperimentLayout):
    """An experiment directory, read without its model: nothing here needs TensorFlow.

    Raises:
        ModelError: there is no experiment.
        ConfigError: its config cannot be read.
    """

    def __init__(self, path: str | Path | ExperimentLayout):
        super().__init__(path)
        if not self.exported:
            finish_replacing(self.path)
        if not self.config.is_file():
            raise ModelError(
                f"{self.origin}: not an experiment directory (no config.toml); give one that speechtl train made, a "
                "file of speechtl export, or a name that speechtl models lists"
            )
        self._table = read_toml(self.config)

    @cached_property
    def features(self) -> FeatureConfig:
        """How the model's features are computed."""
        return parse(FeatureConfig, self._table.get("features", {}), f"{self.config}: [features]")

    @cached_property
    def data(self) -> dict[str, DataConfig]:
        """By language, its training data and how its lexicon is read."""
        tables = [parse(DataConfig, table, f"{self.config}: [[data]]") for table in self._table.get("data", [])]
        return {table.language: table for table in tables}

    @property
    def languages(self) -> list[str]:
        """The languages that the model was trained with, as the config lists them."""
        return list(self.data)

    def require_heads(self) -> None:
        """Raise an error if this is an encoder that was imported, and so has no head.

        Raises:
            ModelError: that is so; says how to get one.
        """
        if not self.data:
            raise ModelError(
                f"{self.path}: has no head, as it is an imported encoder (no [[data]] in its config); train one on it "
                f'first: a config with method = "layer_transfer" and source = "{self.path}", see its {self.card.name}'
            )

    def phone_tables(self) -> dict[str, Path]:
        """Return the phone tables by head, and by language where several languages share a head."""
        tables = super().phone_tables()
        shared = {name: tables[data.head_name] for name, data in self.data.items() if data.head_name in tables}
        return shared | tables

    @property
    def frame_shift(self) -> float:
        """Seconds from one frame of posteriors to the next."""
        return self.features.frame_shift_ms / 1000 * self.subsampling

    @property
    def subsampling(self) -> int:
        """Feature frames per frame of posteriors."""
        try:
            # An experiment's config has every value written out.
            model = self._table["model"]
            parts = [model["encoder"], model.get("top", {})]
            return math.prod(int(part.get("subsampling", {}).get("factor", 1)) for part in parts)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ModelError(
                f"{self.config}: [model] is not whole ({error}); a config in an experiment directory has every value, "
                "as speechtl train writes it"
            ) from error

    @property
    def attention_window(self) -> int | None:
        """See `speechtl.experiment.attention_window`."""
        return attention_window(self._table)

    @property
    def training_stats(self) -> np.ndarray | None:
        """CMVN statistics ``(2, bins + 1)`` of the training speech, where the experiment has kept them."""
        return load_arrays(self.cmvn)[0].get("global") if self.cmvn.is_file() else None

    @property
    def speaker_stats(self) -> np.ndarray | None:
        """CMVN statistics ``(2, bins + 1)`` of the speaker whose layers an exported model has; None of others."""
        return load_arrays(self.cmvn)[0].get("speaker") if self.exported and self.cmvn.is_file() else None

    def language(self, wanted: str | None) -> str:
        """Return the language that is meant; see `choose_language`."""
        self.require_heads()
        heads = {data.head_name for data in self.data.values()}
        return choose_language(wanted or self.default_language, self.languages, heads, self.path)

    @property
    def default_language(self) -> str | None:
        """The language that is meant if none is named: the only one, or the only one with a lexicon; None for none."""
        languages = self.languages
        if len(languages) > 1:
            languages = [name for name in languages if self.lexicon(name).is_file()]
        return languages[0] if len(languages) == 1 else None

    def data_of(self, language: str | None = None) -> DataConfig:
        """Return the ``[[data]]`` table of a language or, if it is the name of a head, the first one with that head.

        Without a language it is the first table.

        Raises:
            ModelError: there is none, since this is an imported encoder.
        """
        self.require_heads()
        tables = list(self.data.values())
        return next((one for one in tables if language in (None, one.language, one.head_name)), tables[0])

    def inventory(self, language: str | None = None) -> PhoneInventory:
        """Return the phones of a language (of the only one by default), or of a head."""
        return PhoneInventory.load(self.phones(self.data_of(self.language(language)).head_name))

    def own_lexicon(self, language: str | None = None) -> Lexicon:
        """Return the lexicon that a language was trained with.

        Raises:
            LexiconError: there is none, see `no_lexicon`.
        """
        name = self.language(language)
        path = self.lexicon(name)
        if not path.is_file():
            raise no_lexicon(path, name)
        return StoredLexicon(path, stress="keep", tone="keep")

    def read_lexicon(self, path: str | Path, language: str | None = None, notation: Notation = "ipa") -> Lexicon:
        """Return a lexicon, to be read as the model reads its own: with stress and tone, or without.

        Args:
            path: the file, or a folder that holds ``LANGUAGE.txt``.
            language: whose; None for the first one.
            notation: in which the file is written.
        """
        data = self.data_of(language)
        file = Path(path) / f"{language or data.language}.txt" if Path(path).is_dir() else Path(path)
        return StoredLexicon(file, notation=notation, stress=data.stress, tone=data.tone)

    def decoding_config(self, config: str | Path | None = None, settings: Sequence[str] = ()) -> DecodingConfig:
        """Return the experiment's ``[decoding]``, under that of a config file, under ``decoding.key=value`` settings.

        Raises:
            ConfigError: a wrong value or key, or a setting of another section.
        """
        return self.section(DecodingConfig, "decoding", config, only(("decoding",), settings))

    def section(
        self, section: type[AnySection], name: str, config: str | Path | None = None, settings: Sequence[str] = ()
    ) -> AnySection:
        """Return a section: the experiment's, under that of a config file, under settings (those of others count not).

        Args:
            section: its class.
            name: its name in the files.
            config: a TOML file whose table of that name goes over the experiment's; None for none.
            settings: ``section.key=value``.
        """
        given = read_toml(config) if config else {}
        mine = [setting for setting in settings if setting.partition(".")[0] == name]
        table = override({name: {**self._table.get(name, {}), **given.get(name, {})}}, mine)[name]
        # What the experiment itself says was checked when it was written.
        origin = config or ("--set" if mine else self.config)
        return parse(section, table, f"{origin}: [{name}]")


def no_lexicon(path: Path, language: str, instead: str = "") -> LexiconError:
    """Return what to raise where words are wanted of a language that a model comes without a lexicon of.

    It was trained on phone transcripts, or is one of the package's, most of whose lexicons are not in it.

    Args:
        path: where the lexicon would be.
        language: whose words are wanted.
        instead: what else can be done, after a comma.
    """
    lacking = f"missing; this model comes without words of '{language}'"
    return LexiconError(f"{path}: {lacking}; give a lexicon with --lexicon{instead}")


def only(sections: Sequence[str], settings: Sequence[str]) -> Sequence[str]:
    """Return the settings, all of which are of some sections.

    Raises:
        ConfigError: one of them is of another.
    """
    for setting in settings:
        if setting.partition(".")[0] not in sections:
            raise ConfigError(f"--set {setting}: expected {' or '.join(f'{name}.key=value' for name in sections)}")
    return settings


def choose_language(
    wanted: str | None,
    languages: Sequence[str],
    heads: Collection[str],
    origin: Path,
    private_blocks: bool = False,
    any_phone: bool = False,
) -> str:
    """Return the language that is meant: the one that is named, or the only one.

    The name of a head that several languages share stands for any language whose phones it has.

    Args:
        wanted: a language or a head, or None.
        languages: those of the model.
        heads: names of its heads.
        origin: the experiment, for errors.
        private_blocks: whether languages have encoder blocks of their own, so that a head does not say enough.
        any_phone: whether the model scores the phones of any language, if it has their lexicon.

    Raises:
        ModelError: the model lacks that language, or has several and none was named.
    """
    if wanted is None and len(languages) == 1:
        return languages[0]
    if wanted in heads and wanted not in languages and private_blocks:
        problem = f"'{wanted}' is a head of languages with encoder blocks of their own; say which language"
    elif wanted is not None and (wanted in languages or wanted in heads):
        return wanted
    else:
        problem = "say which language" if wanted is None else f"no head for language '{wanted}'"
    known = ", ".join(languages) or "none"
    other = "; of any other, give a --lexicon of its words" if any_phone and wanted is not None else ""
    # Only here: what fetches models is not loaded for those that are there.
    from speechtl.pretrained.model_path import shown_path

    raise ModelError(f"{shown_path(origin)}: {problem}; this model has: {known} (--language){other}")


def write_experiment(
    directory: ExperimentLayout,
    config: Section,
    inventories: Mapping[str, PhoneInventory],
    lexicons: Mapping[str, Lexicon],
    global_stats: np.ndarray | None,
) -> None:
    """Write all of an experiment directory but what training adds; the config last.

    Args:
        directory: where.
        config: the whole `ExperimentConfig`.
        inventories: phones by head.
        lexicons: by language.
        global_stats: CMVN statistics, where normalisation is global.
    """
    for head, inventory in inventories.items():
        inventory.save(directory.phones(head))
    for language, lexicon in lexicons.items():
        lexicon.save(directory.lexicon(language), any_name=True)
    if global_stats is not None:
        save_arrays(directory.cmvn, {"global": global_stats})
    # Last, since its presence says that the rest is there.
    write_config(directory, config)


def write_config(directory: ExperimentLayout, config: Section) -> None:
    """Write the config with every value that is not None."""
    # Not among what recognition needs.
    import tomli_w

    with atomic_write(directory.config) as file:
        file.write(tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))


def read_inventories(directory: ExperimentLayout, tables: Sequence[DataConfig]) -> dict[str, PhoneInventory]:
    """Return the phones of an experiment's heads, by head."""
    files = {data.head_name: directory.phones(data.head_name) for data in tables}
    trained = {data.head_name for data in tables if data.train}
    # A language of unlabelled speech alone has none.
    return {head: PhoneInventory.load(file) for head, file in files.items() if head in trained or file.exists()}
