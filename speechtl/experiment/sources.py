"""The experiments that transfer methods borrow from: found, and compared with the config."""

from speechtl.batches.config import NormalisationConfig
from speechtl.config import Section
from speechtl.errors import ConfigError, list_problems
from speechtl.experiment.config import ExperimentConfig
from speechtl.experiment.directory import ExperimentDirectory
from speechtl.features.config import FeatureConfig
from speechtl.models.config import ModelConfig
from speechtl.pretrained.model_path import source_path
from speechtl.transfer.fine_tuning import FineTuning
from speechtl.transfer.layer_transfer import LayerTransfer
from speechtl.transfer.method import TransferMethod
from speechtl.transfer.weight_interpolation import WeightInterpolation

# Encoders whose settings say what their weights have learned, so that the same weights with others are another model.
_LEARNED_KINDS = ("whisper", "wav2vec2")
# Settings of such encoders that an experiment may choose.
_FREE = {"dropout", "pad"}


def located(config: ExperimentConfig) -> ExperimentConfig:
    """Return a config with the experiment directory of every source in place of its name; see `source_path`.

    Raises:
        ModelError: a checkpoint cannot be downloaded or imported.
    """
    places = {source: str(source_path(source)) for method in config.transfer for source in method.sources()}
    return config.model_copy(update={"transfer": tuple(method.with_sources(places) for method in config.transfer)})


def check_sources(config: ExperimentConfig) -> None:
    """Check that sources see the features of this experiment, and that what is copied fits its encoder.

    Args:
        config: the experiment, with its sources located.

    Raises:
        ConfigError: another section or another encoder; names what differs.
        ModelError: a source is no experiment directory.
    """
    sections: dict[str, type[Section]] = {"features": FeatureConfig, "normalisation": NormalisationConfig}
    for method in config.transfer:
        for source in method.sources():
            kept = ExperimentDirectory(source)
            for name, section in sections.items():
                if kept.section(section, name) != getattr(config, name):
                    raise ConfigError(
                        f"{kept.config}: [{name}] differs from this experiment's; a model can only be reused "
                        "on the features it was trained on; copy that section"
                    )
            if differences := _differences(method, kept.section(ModelConfig, "model"), config.model):
                heading = f"{kept.config}: [model.encoder] differs from this experiment's; copy that section"
                raise ConfigError(list_problems(heading, differences))


def _differences(method: TransferMethod, theirs: ModelConfig, ours: ModelConfig) -> list[str]:
    """List the settings that differ of encoders whose weights a method copies."""
    if not isinstance(method, FineTuning | LayerTransfer | WeightInterpolation):
        return []
    if not {theirs.encoder.kind, ours.encoder.kind} & set(_LEARNED_KINDS):
        return []
    if theirs.encoder.kind != ours.encoder.kind:
        return [f"kind: '{theirs.encoder.kind}' there, '{ours.encoder.kind}' here"]
    # Some blocks may be copied into an encoder with more or fewer.
    some = isinstance(method, LayerTransfer) or any("encoder" in pattern for pattern in method.fresh)
    there, here = theirs.encoder.model_dump(), ours.encoder.model_dump()
    names = here.keys() - _FREE - ({"blocks"} if some else set())
    return [f"{name}: {there[name]} there, {here[name]} here" for name in sorted(names) if there[name] != here[name]]
