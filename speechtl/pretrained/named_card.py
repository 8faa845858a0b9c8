"""The card of a model that comes with the package: what it was made of, what it is good and bad at, numbers."""

from pydantic import Field

from speechtl.config import Section


class TrainingSpeech(Section):
    """``[[data]]``: speech that a model was trained on.

    Attributes:
        name: of the corpus.
        languages: codes, as ``--language`` takes them.
        hours: of speech.
        licence: of the corpus.
        attribution: who made it, and where it is described.
    """

    name: str = Field(min_length=1)
    languages: tuple[str, ...] = Field(min_length=1)
    hours: float = Field(gt=0)
    licence: str = Field(min_length=1)
    attribution: str = Field(min_length=1)


class Measured(Section):
    """``[[numbers]]``: what was measured of a model.

    Attributes:
        test: the speech.
        measure: the rate, with its unit.
        value: what came out.
        by: the script or the command that measured it.
    """

    test: str = Field(min_length=1)
    measure: str = Field(min_length=1)
    value: str = Field(min_length=1)
    by: str = Field(min_length=1)


class FrozenWeights(Section):
    """``[frozen]``: weights that others trained, which a model took over unchanged and which are not stored with it.

    Attributes:
        source: the checkpoint, ``hf:owner/name``.
        blocks: of its encoder, that the weights are of.
        fingerprint: of these weights in half precision.
        parameters: their number.
        download: the size of the download, in MB.
    """

    source: str = Field(pattern=r"hf:[\w.-]+/[\w.-]+")
    blocks: tuple[str, ...] = Field(min_length=1)
    fingerprint: str = Field(pattern=r"[0-9a-f]{32}")
    parameters: int = Field(gt=0)
    download: float = Field(gt=0)


class StoredFiles(Section):
    """``[stored]``: what a model's folder holds besides its card.

    Attributes:
        parameters: weights in ``weights.safetensors.gz``.
        digests: of every file by name, BLAKE2b of 16 bytes.
    """

    parameters: int = Field(gt=0)
    digests: dict[str, str] = Field(min_length=3)


class NamedCard(Section):
    """``card.toml``; `speechtl.pretrained.package_model` adds ``[stored]`` and ``[frozen]`` to what people wrote.

    Attributes:
        summary: one line, for lists of models.
        licence: of the weights.
        attribution: whose work it builds on, and what their licences ask for.
        trained: how.
        good: what it is good at.
        bad: what it is bad at.
        data: speech that it was trained on.
        numbers: measured.
        stored: what is in its folder.
        frozen: weights that are fetched; None for a model that is whole.
    """

    summary: str = Field(min_length=1, max_length=100)
    licence: str = Field(min_length=1)
    attribution: tuple[str, ...] = Field(min_length=1)
    trained: str = Field(min_length=1)
    good: tuple[str, ...] = Field(min_length=1)
    bad: tuple[str, ...] = Field(min_length=1)
    data: tuple[TrainingSpeech, ...] = Field(min_length=1)
    numbers: tuple[Measured, ...] = Field(min_length=1)
    stored: StoredFiles
    frozen: FrozenWeights | None = None

    def page(self, name: str) -> str:
        """Return the card as a page of Markdown."""
        speech = [
            f"| {d.name} | {' '.join(d.languages)} | {d.hours:g} | {d.licence} | {d.attribution} |" for d in self.data
        ]
        numbers = [f"| {n.test} | {n.measure} | {n.value} | {n.by} |" for n in self.numbers]
        lines = [f"# {name}", "", self.summary, "", f"Licence of the weights: {self.licence}", ""]
        lines += [*(f"- {line}" for line in self.attribution), "", "## Training", "", self.trained, ""]
        lines += ["| speech | languages | hours | licence | by |", "|---|---|---|---|---|", *speech, ""]
        lines += ["## Good at", "", *(f"- {line}" for line in self.good), ""]
        lines += ["## Bad at", "", *(f"- {line}" for line in self.bad), ""]
        lines += ["## Measured", "", "| test | measure | value | by |", "|---|---|---|---|", *numbers, ""]
        lines += [f"{self.stored.parameters:,} weights are stored, in half precision."]
        if self.frozen is not None:
            lines += [f"{self.frozen.parameters:,} more are those of {self.frozen.source}, fetched at the first use."]
        return "\n".join(lines) + "\n"
