"""The section of wav2vec 2.0 and its kin."""

import math
from typing import Literal

from pydantic import Field, model_validator

from speechtl.config import Section


class FrameRate(Section):
    """``[model.encoder.subsampling]``: one output per frame of samples, whose shift is that of the convolutions."""

    factor: Literal[1] = 1


class Wav2Vec2Config(Section):
    """``[model.encoder]`` with ``kind = "wav2vec2"``; the default is the size of wav2vec 2.0 base.

    HuBERT base and wav2vec 2.0 base have ``stem_norm = "group"`` and are normalised after each residual; the large
    models, XLS-R and MMS have ``stem_norm = "layer"``, ``conv_bias`` and ``pre_norm`` (some large ones not all three).
    WavLM (Chen et al. 2022), base and large, has ``buckets = 320`` besides. data2vec (Baevski et al. 2022) has
    ``stem_norm = "layer"``, ``position_convs = 5``, ``position_kernel = 19`` and ``position_norm``.

    Attributes:
        size: width of the transformer.
        blocks: number of transformer blocks.
        heads: of attention.
        hidden: width of the feed-forward layers.
        channels: of the convolutions over the signal.
        kernels: their widths.
        strides: their strides; with the kernels they say how long frames of samples are and how far apart.
        conv_bias: whether they have a bias.
        stem_norm: ``group``, the first convolution's channels are normalised over time; or ``layer``, all convolutions
            are, over channels.
        projection_norm: normalise before the projection to the width of the transformer.
        position_convs: number of convolutions, one after the other, whose result is added for the positions.
        position_kernel: their width, in frames.
        position_groups: of their channels.
        position_norm: normalise each one's output over channels, before its activation and without weights.
        buckets: of relative positions, which bias attention (`speechtl.models.gated_positions`); 0 for none.
        bucket_distance: frames from which on all others share a bucket, on each side.
        pre_norm: normalise before attention and feed-forward, and at the end (block ``norm``); or else after.
        window: frames for which attention sees each other; longer speech is cut into windows of this length.
        dropout: rate in the transformer blocks, after the projection and after the positions; these models were trained
            with 0.1. Without, blocks that stay frozen are computed once.
    """

    kind: Literal["wav2vec2"] = "wav2vec2"
    size: int = Field(default=768, gt=0)
    blocks: int = Field(default=12, gt=0)
    heads: int = Field(default=12, gt=0)
    hidden: int = Field(default=3072, gt=0)
    channels: tuple[int, ...] = (512,) * 7
    kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    stem_norm: Literal["group", "layer"] = "group"
    projection_norm: bool = True
    position_convs: int = Field(default=1, gt=0)
    position_kernel: int = Field(default=128, gt=0)
    position_groups: int = Field(default=16, gt=0)
    position_norm: bool = False
    buckets: int = Field(default=0, ge=0)
    bucket_distance: int = Field(default=800, gt=0)
    pre_norm: bool = False
    window: int = Field(default=1500, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    subsampling: FrameRate = FrameRate()

    @model_validator(mode="after")
    def _check(self) -> "Wav2Vec2Config":
        sizes = len(self.channels), len(self.kernels), len(self.strides)
        if len(set(sizes)) > 1 or not sizes[0] or min(*self.channels, *self.kernels, *self.strides) < 1:
            raise ValueError(
                "channels, kernels and strides need a positive number for each convolution (got "
                f"{sizes[0]}, {sizes[1]} and {sizes[2]} numbers)"
            )
        if any(kernel < stride for kernel, stride in zip(self.kernels, self.strides, strict=True)):
            raise ValueError(f"a kernel must be at least as wide as its stride (got {self.kernels}, {self.strides})")
        if 0 < self.buckets < 4:
            raise ValueError(f"buckets must be at least 4, or 0 for none (got {self.buckets})")
        if self.buckets and self.bucket_distance <= self.buckets // 4:
            raise ValueError(
                f"bucket_distance {self.bucket_distance} must exceed a quarter of the {self.buckets} buckets, which "
                "are single distances"
            )
        for name in ("heads", "position_groups"):
            if self.size % getattr(self, name):
                raise ValueError(f"size {self.size} must be a multiple of {name} {getattr(self, name)}")
        return self

    @property
    def frame_shift(self) -> int:
        """Samples from one output of the convolutions to the next."""
        return math.prod(self.strides)

    @property
    def frame_length(self) -> int:
        """Samples that one output of the convolutions depends on."""
        before = [math.prod(self.strides[:number]) for number in range(len(self.strides))]
        return 1 + sum((kernel - 1) * step for kernel, step in zip(self.kernels, before, strict=True))
