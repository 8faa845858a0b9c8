"""Mains hum: the 50 or 60 Hz of the power line and their multiples, which stand still while everything else moves."""

import numpy as np

from speechtl.audio.findings import Findings

HUM = "mains hum, which is left in; record without it, or filter it out"
# Of a window: long enough to tell 50 from 60 Hz, short enough to look between words.
_SECONDS = 0.5
_LEAST_WINDOWS = 4
_FREQUENCIES = (50, 60)
_MULTIPLES = 6
# Lines stand out by this factor of power from what is beside them, in nearly all windows: the voice moves on.
_STANDS_OUT = 10 ** (12 / 10)
_NEARLY_ALL = 20.0  # Percentile over windows.
# A hum that is this much weaker than the louder parts of the recording is not worth a word.
_FAINT = 10 ** (-40 / 10)
_LOUD = 90.0


class MainsHum:
    """Listens to one recording, block by block, for mains hum.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int):
        self.length = round(sample_rate * _SECONDS)
        self._window = np.hanning(self.length).astype(np.float32)
        self._rest = np.zeros(0, np.float32)
        highest = (max(_FREQUENCIES) * _MULTIPLES + 20) * _SECONDS
        self._bins = min(int(highest), self.length // 2) + 1
        self._spectra: list[np.ndarray] = []
        self._powers: list[float] = []

    def add(self, samples: np.ndarray) -> None:
        """Listen to ``(samples,)`` of one channel, any number of them."""
        samples, step = np.concatenate([self._rest, samples]), self.length // 2
        count = max((len(samples) - self.length) // step + 1, 0)
        for start in range(0, count * step, step):
            frame = samples[start : start + self.length]
            centred = frame - frame.mean()
            spectrum = np.abs(np.fft.rfft(centred * self._window)[: self._bins]) ** 2
            self._spectra.append(spectrum / (self._window**2).sum() / self.length * 2)
            self._powers.append(float(np.mean(centred**2)))
        self._rest = samples[count * step :]

    def note(self, name: str, findings: Findings) -> None:
        """Note the hum of a recording, if it has one."""
        found = self.found()
        if found is not None:
            findings.add(HUM, name, f"{found[0]} Hz, {-found[1]:.0f} dB below the louder parts")

    def found(self) -> tuple[int, float] | None:
        """Return the frequency of the hum in Hz and its level in dB, relative to the louder parts of the recording."""
        if len(self._spectra) < _LEAST_WINDOWS:
            return None
        spectra = np.stack(self._spectra)
        loud = float(np.percentile(self._powers, _LOUD))
        best = max((self._lines(spectra, frequency), frequency) for frequency in _FREQUENCIES)
        power, frequency = best
        if power <= 0 or loud <= 0 or power < _FAINT * loud:
            return None
        return frequency, 10 * float(np.log10(power / loud))

    def _lines(self, spectra: np.ndarray, frequency: int) -> float:
        """Return the power of the lines of a frequency; 0 unless it stands out itself, or two of its multiples do."""
        powers, numbers = [], []
        for number in range(1, _MULTIPLES + 1):
            place = round(number * frequency * _SECONDS)
            if place + 9 >= spectra.shape[1]:
                break
            line = spectra[:, place - 1 : place + 2].sum(axis=1)
            beside = np.concatenate([spectra[:, place - 8 : place - 3], spectra[:, place + 4 : place + 9]], axis=1)
            steady = np.percentile(line, _NEARLY_ALL)
            if steady > _STANDS_OUT * 3 * np.percentile(beside.mean(axis=1), _NEARLY_ALL):
                powers.append(float(steady))
                numbers.append(number)
        return sum(powers) if 1 in numbers or len(numbers) > 1 else 0.0
