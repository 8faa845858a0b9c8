"""The model card within an exported model."""

from collections.abc import Mapping

from speechtl.experiment.experiment import Experiment


def model_card(experiment: Experiment, precision: str, error_rates: Mapping[str, float] | None = None) -> str:
    """Return the text of ``README.md`` in an exported model: what it recognises, what it is made of, how to use it.

    Args:
        experiment: the model.
        precision: of the stored weights.
        error_rates: phone error rates in percent on held-out speech, by precision, where they were measured.
    """
    config, model = experiment.config, experiment.model
    heads = {head: len(inventory) for head, inventory in experiment.inventories.items()}
    rows = {
        "languages": ", ".join(experiment.languages),
        "phones": ", ".join(f"{count} ({head})" for head, count in heads.items()),
        "other phones": "by their articulation (--inventory)" if experiment.scores_any_phone else "no",
        "encoder": f"{config.model.encoder.kind}, {len(model.blocks)} blocks",
        "parameters": f"{model.parameter_count():,}",
        "weights": precision,
        "features": f"{config.features.kind} at {config.features.sample_rate} Hz",
        "normalisation": config.normalisation.kind,
        "transfer": ", ".join(method.method for method in config.transfer) or "none",
        "speaker": "layers of one speaker are in it" if model.speaker_paths else "none",
    }
    rows |= {f"phone error rate, {name}": f"{rate:.2f} %" for name, rate in (error_rates or {}).items()}
    table = "".join(f"| {key} | {value} |\n" for key, value in rows.items())
    card = experiment.directory.card
    origin = f"\n{card.read_text(encoding='utf-8')}" if card.is_file() else ""
    return (
        f"# {experiment.path.name}, exported by speechtl\n\n| | |\n|---|---|\n{table}\n"
        "    speechtl transcribe FILE talk.wav\n\n"
        'In Python: `speechtl.load("FILE").transcribe("talk.wav")`. As the `source` of a config it is a model to '
        f"transfer from.\n{origin}"
    )
