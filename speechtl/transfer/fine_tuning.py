"""Start from the weights of another experiment."""

from typing import Literal

from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.weights import assign
from speechtl.transfer.method import TransferMethod, source_weights


class FineTuning(TransferMethod):
    """Copy all weights of ``source``, but those that match a ``fresh`` pattern, and train on.

    Patterns are shell-style over weight paths: ``heads/*``, ``encoder/tdnn7/*``. What does not match on either side and
    is not declared fresh is an error that lists it.
    """

    method: Literal["fine_tuning"] = "fine_tuning"
    source: str
    fresh: tuple[str, ...] = ()

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Copy the weights."""
        assign(model.variables(), source_weights(self.source), self.source, fresh=self.fresh)
        return model

    def sources(self) -> tuple[str, ...]:
        """Return the source."""
        return (self.source,)
