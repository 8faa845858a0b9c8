"""The config of an experiment: every section in one."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import model_validator

from speechtl.batches.config import AugmentationConfig, BatchConfig, DataConfig, NormalisationConfig
from speechtl.config import Section, override, parse, read_toml
from speechtl.decoding.config import DecodingConfig
from speechtl.features.config import FeatureConfig
from speechtl.models.config import ModelConfig
from speechtl.models.wav2vec2_config import Wav2Vec2Config
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
        return self

    @model_validator(mode="after")
    def _check_features(self) -> "ExperimentConfig":
        encoder, features, augmentation = self.model.encoder, self.features, self.augmentation
        wanted = {"whisper": "whisper", "wav2vec2": "waveform"}.get(encoder.kind)
        if wanted and (features.kind != wanted or self.normalisation.kind != "none"):
            raise ValueError(
                f'an encoder of kind "{encoder.kind}" needs features.kind = "{wanted}" and normalisation.kind = '
                f'"none", as its own training had (got {features.kind!r} and {self.normalisation.kind!r})'
            )
        if isinstance(encoder, Wav2Vec2Config):
            frames = features.frame_length, features.frame_shift
            if frames != (encoder.frame_length, encoder.frame_shift):
                raise ValueError(
                    f"the convolutions of the encoder read frames of {encoder.frame_length} samples every "
                    f"{encoder.frame_shift} (got {frames[0]} every {frames[1]}); change features.frame_length_ms and "
                    "frame_shift_ms"
                )
        masks = augmentation.frequency_masks and augmentation.after == "input"
        if features.kind == "waveform" and (masks or augmentation.noise):
            raise ValueError(
                "the frames of a waveform have no bins to mask or to add the energy of noise to; set "
                "augmentation.frequency_masks and augmentation.noise to 0, or mask the outputs of frozen blocks "
                "(augmentation.after)"
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
