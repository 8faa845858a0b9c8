"""Start from the weights of another experiment."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Literal

from speechtl.models.acoustic_model import AcousticModel
from speechtl.models.restore import restore
from speechtl.models.weights import assign
from speechtl.transfer.method import TransferMethod, source_weights


class FineTuning(TransferMethod):
    """Copy all weights of ``source`` except those that match a ``fresh`` pattern, and continue training.

    Weights that exist on one side only, or in another shape, and are not declared fresh, are listed in an error. Layers
    attached to the source are attached here as well.

    Attributes:
        source: experiment directory.
        fresh: shell-style patterns over weight paths: ``heads/*``, ``encoder/tdnn7/*``.
    """

    adaptation: ClassVar[Mapping[str, Any] | None] = {"learning_rate": 2e-2}

    method: Literal["fine_tuning"] = "fine_tuning"
    source: str
    fresh: tuple[str, ...] = ()

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Copy the weights."""
        arrays = source_weights(self.source)
        wanted = {name: array for name, array in arrays.items() if not self._is_fresh(name)}
        restore(model, wanted, self.source)
        assign(model.variables(), arrays, self.source, fresh=self.fresh)
        return model

    def sources(self) -> tuple[str, ...]:
        """Return the source."""
        return (self.source,)

    def keeps_head(self, head: str) -> bool:
        """Whether the head is copied."""
        return not self._is_fresh(f"heads/{head}/output/kernel")

    def _is_fresh(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.fresh)
