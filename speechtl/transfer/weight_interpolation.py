"""Interpolation of the trained weights with those of another experiment."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
from pydantic import Field

from speechtl.errors import ModelError, list_problems
from speechtl.models.acoustic_model import AcousticModel
from speechtl.transfer.method import TransferMethod, source_weights


class WeightInterpolation(TransferMethod):
    """Set every final weight to ``weight * source + (1 - weight) * trained`` (Wortsman et al. 2022, "WiSE-FT").

    List it after `FineTuning` of the same source: both ends then lie in one basin of the loss, and points between them
    are often better than either, on the new speech and on the old. Training is not affected.

    Attributes:
        source: experiment directory with the same encoder.
        weight: share of the source in the final weights; 0 changes nothing, 1 is the source.
        fresh: patterns over weight paths, as in `FineTuning`, of weights that remain as trained. So do layers that are
            attached after this method.
    """

    method: Literal["weight_interpolation"] = "weight_interpolation"
    source: str
    weight: float = Field(default=0.5, ge=0, le=1)
    fresh: tuple[str, ...] = ()

    def prepare(self, model: AcousticModel) -> AcousticModel:
        """Check, before training, that the source has all weights to be interpolated.

        Raises:
            ModelError: weights that the source lacks or has in another shape, all listed.
        """
        arrays = source_weights(self.source)
        problems = [
            f"{name}: shape {tuple(variable.shape)} here, {arrays[name].shape if name in arrays else 'nothing'} there"
            for name, variable in sorted(model.trainable_variables().items())
            if not self._is_fresh(name) and (name not in arrays or arrays[name].shape != tuple(variable.shape))
        ]
        if problems:
            advice = "declare what has no counterpart as fresh (patterns such as heads/*)"
            raise ModelError(list_problems(f"{self.source}: weights to mix with differ; {advice}", problems))
        return model

    def finish(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the interpolated weights."""
        source = source_weights(self.source)
        return {
            name: array if self._is_fresh(name) or name not in source else self._interpolate(source[name], array)
            for name, array in arrays.items()
        }

    def sources(self) -> tuple[str, ...]:
        """Return the source."""
        return (self.source,)

    def keeps_head(self, head: str) -> bool:
        """Whether the head is interpolated, and so must have the phones of the source."""
        return not self._is_fresh(f"heads/{head}/output/kernel")

    def _interpolate(self, source: np.ndarray, trained: np.ndarray) -> np.ndarray:
        mixed = self.weight * source.astype(np.float64) + (1 - self.weight) * trained
        return mixed.astype(trained.dtype)

    def _is_fresh(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.fresh)
