"""The config of an experiment: every section in one."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import model_validator

from speechtl.batches.config import AugmentationConfig, BatchConfig, DataConfig, NormalisationConfig
from speechtl.config import Section, override, parse, read_toml
from speechtl.decoding.config import DecodingConfig
from speechtl.features.config import FeatureConfig
from speechtl.models.config import ModelConfig
from speechtl.training.config import TrainingConfig
from speechtl.transfer.methods import Method


class ExperimentConfig(Section):
    """A whole config file; every section has defaults but ``[[data]]``."""

    seed: int = 1
    features: FeatureConfig = FeatureConfig()
    normalisation: NormalisationConfig = NormalisationConfig()
    data: tuple[DataConfig, ...]
    model: ModelConfig = ModelConfig()
    batches: BatchConfig = BatchConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    training: TrainingConfig = TrainingConfig()
    transfer: tuple[Method, ...] = ()
    decoding: DecodingConfig = DecodingConfig()

    @model_validator(mode="after")
    def _check(self) -> "ExperimentConfig":
        languages = [data.language for data in self.data]
        if not languages:
            raise ValueError("no [[data]] table; name at least one language's training data")
        if len(set(languages)) < len(languages):
            raise ValueError(
                f"two [[data]] tables of one language (got {languages}); list its directories in one table"
            )
        for data in self.data:
            if any(other.language == data.head_name != other.head_name for other in self.data):
                raise ValueError(
                    f"head = '{data.head_name}' is the name of a language that has another head; choose another name"
                )
        if self.model.encoder.kind == "whisper" and (
            self.features.kind != "whisper" or self.normalisation.kind != "none"
        ):
            raise ValueError(
                'an encoder of kind "whisper" needs features.kind = "whisper" and normalisation.kind = "none", as its '
                f"own training had (got {self.features.kind!r} and {self.normalisation.kind!r})"
            )
        return self

    @property
    def head_of(self) -> dict[str, str]:
        """By language, the name of its head."""
        return {data.language: data.head_name for data in self.data}


def load_config(path: str | Path, settings: Sequence[str] = ()) -> ExperimentConfig:
    """Read a config file and apply ``section.key=value`` settings.

    Raises:
        ConfigError: the file or a setting is wrong; all problems at once.
    """
    return parse(ExperimentConfig, override(read_toml(path), settings), path)
