"""The ``[features]`` section of a configuration."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from speechtl.config import Section


class FeatureConfig(Section):
    """The features to compute; names and meanings are those of Kaldi's feature programs.

    Attributes:
        kind: log mel filter bank energies (``fbank``), mel cepstra (``mfcc``), or the log mel spectrogram of Whisper
            models (``whisper``; see `speechtl.features.whisper_mel`), of which only ``num_mel_bins`` can be chosen;
            or the samples themselves (``waveform``; see `speechtl.features.waveform_frames`), for wav2vec 2.0 and kin.
        sample_rate: Hz; audio at any other rate is resampled to it.
        num_mel_bins: number of triangular mel filters.
        num_ceps: number of cepstral coefficients, including C0 (``mfcc`` only).
        frame_length_ms: window length in milliseconds.
        frame_shift_ms: frame shift in milliseconds, by default 10, and 20 for ``waveform``.
        dither: standard deviation of the noise added to each sample, in units of the 16-bit range; 0 adds none.
        low_freq: lower edge of the filter bank in Hz.
        high_freq: upper edge in Hz; zero or less is an offset from the Nyquist frequency.
        preemphasis: coefficient of the pre-emphasis filter.
        use_energy: whether the log energy precedes the bins (``fbank``) or replaces C0 (``mfcc``).
        snip_edges: True computes only frames that fit completely into the signal; False computes one frame per shift
            and mirrors the signal at its ends.
        cepstral_lifter: liftering coefficient, 0 for none (``mfcc`` only).
        window: the window function.
        channel: of several channels, their mean (``mix``), the first (``first``) or the one with this number from 0.
        unit_variance: whether each utterance is brought to zero mean and unit variance (``waveform`` only).
    """

    kind: Literal["fbank", "mfcc", "whisper", "waveform"] = "fbank"
    sample_rate: int = pydantic.Field(default=16000, gt=0)
    num_mel_bins: int = pydantic.Field(default=80, gt=2)
    num_ceps: int = pydantic.Field(default=13, gt=0)
    frame_length_ms: float = pydantic.Field(default=25.0, gt=0)
    frame_shift_ms: float = pydantic.Field(default=10.0, gt=0)
    dither: float = pydantic.Field(default=0.0, ge=0)
    low_freq: float = pydantic.Field(default=20.0, ge=0)
    high_freq: float = 0.0
    preemphasis: float = pydantic.Field(default=0.97, ge=0, le=1)
    use_energy: bool = False
    snip_edges: bool = True
    cepstral_lifter: float = pydantic.Field(default=22.0, ge=0)
    window: Literal["povey", "hamming", "hanning", "blackman", "sine", "rectangular"] = "povey"
    channel: Literal["mix", "first"] | Annotated[int, pydantic.Field(ge=0)] = "mix"
    unit_variance: bool = True

    @pydantic.model_validator(mode="before")
    @classmethod
    def _shift_of_samples(cls, table: Any) -> Any:
        samples = isinstance(table, Mapping) and table.get("kind") == "waveform"
        return {"frame_shift_ms": 20.0, **table} if samples else table

    @pydantic.model_validator(mode="after")
    def _check(self) -> "FeatureConfig":
        if self.kind == "whisper":
            given = self.sample_rate, self.frame_length_ms, self.frame_shift_ms, self.dither
            if given != (16000, 25.0, 10.0, 0.0) or self.num_mel_bins not in (80, 128):
                raise ValueError(
                    'kind = "whisper" has windows of 25 ms every 10 ms at 16000 Hz, no dither, and 80 or 128 '
                    "num_mel_bins; leave the rest out"
                )
        if self.kind == "waveform" and (self.dither or not self.snip_edges or self.frame_length < self.frame_shift):
            raise ValueError(
                'kind = "waveform" has overlapping frames of the samples as they are: no dither, snip_edges = true, '
                "and frame_length_ms not below frame_shift_ms"
            )
        if not self.low_freq < self.upper_edge <= self.sample_rate / 2:
            raise ValueError(
                f"the filter bank would reach from {self.low_freq:g} to {self.upper_edge:g} Hz; low_freq and high_freq "
                f"must give a band between 0 and {self.sample_rate / 2:g} Hz (half of sample_rate)"
            )
        if self.frame_shift < 1 or self.frame_length < 2:
            raise ValueError(
                f"a frame of {self.frame_length} samples every {self.frame_shift} samples is impossible; raise "
                "frame_length_ms and frame_shift_ms"
            )
        if self.kind == "mfcc" and self.num_ceps > self.num_mel_bins:
            raise ValueError(
                f"{self.num_ceps} cepstra need at least as many mel bins; raise num_mel_bins (got {self.num_mel_bins}) "
                "or lower num_ceps"
            )
        return self

    @property
    def dimension(self) -> int:
        """Number of values per frame."""
        if self.kind == "mfcc":
            return self.num_ceps
        if self.kind == "waveform":
            return self.frame_length
        return self.num_mel_bins + (self.use_energy and self.kind == "fbank")

    @property
    def upper_edge(self) -> float:
        """Upper edge of the filter bank in Hz."""
        return self.high_freq if self.high_freq > 0 else self.sample_rate / 2 + self.high_freq

    @property
    def frame_length(self) -> int:
        """Samples per frame (rounded down, as in Kaldi)."""
        return int(self.sample_rate * 0.001 * self.frame_length_ms)

    @property
    def frame_shift(self) -> int:
        """Frame shift in samples (rounded down, as in Kaldi)."""
        return int(self.sample_rate * 0.001 * self.frame_shift_ms)

    @property
    def lead(self) -> float:
        """Seconds from the start of the signal to that of the shift which the first frame stands for."""
        if self.kind == "whisper":
            return -self.frame_shift / self.sample_rate / 2
        return (self.frame_length - self.frame_shift) / self.sample_rate / 2 if self.snip_edges else 0.0

    def num_frames(self, samples: int) -> int:
        """Return the number of frames of a signal of ``samples`` samples."""
        if self.kind == "whisper":
            return samples // self.frame_shift
        if not self.snip_edges:
            return (samples + self.frame_shift // 2) // self.frame_shift
        return 0 if samples < self.frame_length else 1 + (samples - self.frame_length) // self.frame_shift
