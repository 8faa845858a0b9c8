"""From samples as they are stored to one channel that features can be computed from: checked and repaired."""

import numpy as np

from speechtl.audio.findings import Findings
from speechtl.errors import DataError, printable

CANCELLED = "the channels cancel each other when mixed; the louder one is taken (--channel takes another)"
APART = "the channels have nothing in common, as those of two speakers, and were mixed (--channel takes one of them)"
OFFSET = "a constant offset was taken out"
SCALE = "floating-point samples beyond [-1, 1] were taken for 16-bit integers"
# A mix with less than this share of the power that independent channels would give has lost what they have in common.
CANCELS = 0.25
# Channels of one room or one mix correlate more than this.
_UNLIKE = 0.05
# A channel that is weaker than the louder one by more than this factor of power, 26 dB, holds what leaks over.
_LEAKS = 1 / 400
# Of full scale. Below it, an offset is nothing that the features or the detector of speech would see.
LEAST_OFFSET = 0.01
# No gain makes speech in [-1, 1] as loud as this; 16-bit integers that are less are silence.
INTEGERS = 256.0


class OneChannel:
    """Reduce one recording to a channel, block by block; what is found in the first one holds for all.

    Args:
        channel: ``"mix"`` for the mean of all channels, ``"first"``, or the number of a channel from 0.
        name: of the recording.
        findings: where to note what was repaired.
    """

    def __init__(self, channel: str | int, name: str, findings: Findings):
        self.channel, self.name, self.findings = channel, name, findings
        self._offset: float | None = None
        self._scale = 1.0

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Reduce ``(samples,)`` or ``(samples, channels)`` in [-1, 1] to float32 ``(samples,)``.

        Raises:
            DataError: samples that are not numbers, or there is no such channel; names the recording.
        """
        require_numbers(samples, self.name)
        if not len(samples):
            return samples if samples.ndim == 1 else samples[:, 0]
        if np.abs(samples).max() > INTEGERS and self._scale == 1.0:
            self._scale = 1 / 32768
            self.findings.add(SCALE, self.name)
        if self._scale != 1.0:
            samples = samples * np.float32(self._scale)
        signal = self._choose(samples)
        if self._offset is None:
            self._offset = float(signal.mean(dtype=np.float64))
            if abs(self._offset) < LEAST_OFFSET:
                self._offset = 0.0
            else:
                self.findings.add(OFFSET, self.name, f"{self._offset:.3f} of full scale")
        return signal - np.float32(self._offset) if self._offset else signal

    def _choose(self, samples: np.ndarray) -> np.ndarray:
        if samples.ndim == 1:
            samples = samples[:, np.newaxis]
        count = samples.shape[1]
        if self.channel == "mix":
            if count == 1:
                return samples[:, 0]
            mixed = samples.mean(axis=1)
            powers = power(samples)
            if power(mixed[:, np.newaxis])[0] < CANCELS * powers.sum() / count**2:
                self.channel = int(powers.argmax())
                self.findings.add(CANCELLED, self.name, f"channel {self.channel}")
                return samples[:, self.channel]
            if count == 2 and self._offset is None and powers.min() > _LEAKS * powers.max():
                covariance = float(np.mean(np.prod(samples - samples.mean(axis=0), axis=1, dtype=np.float64)))
                if abs(covariance) < _UNLIKE * float(np.sqrt(powers.prod())):
                    self.findings.add(APART, self.name)
            return mixed
        number = 0 if self.channel == "first" else int(self.channel)
        if number >= count:
            raise DataError(
                f"{printable(self.name)}: no channel {number} (got {count}, counted from 0); correct --channel or "
                "features.channel"
            )
        return samples[:, number]


def require_numbers(samples: np.ndarray, name: str) -> None:
    """Refuse NaN and infinite samples.

    Raises:
        DataError: names the recording.
    """
    if not np.isfinite(samples).all():
        raise DataError(f"{printable(name)}: holds samples that are not numbers (NaN or infinite); replace it")


def power(samples: np.ndarray) -> np.ndarray:
    """Return the power ``(channels,)`` of ``(samples, channels)``, without any constant offset."""
    return samples.var(axis=0, dtype=np.float64)
