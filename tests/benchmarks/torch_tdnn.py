"""speechtl's TDNN in PyTorch, with speechtl's weights."""

from collections.abc import Mapping

import torch
from torch import nn


class Tdnn(nn.Module):
    """Subsampling, residual dilated convolutions and a head, with a dropout of 0.1 as by default."""

    def __init__(self, inputs: int, size: int, units: int, dilations: tuple[int, ...], kernel: int, stride: int):
        super().__init__()
        self.subsampling = nn.Conv1d(inputs, size, kernel, stride=stride, padding=kernel // 2)
        self.first_norm = nn.LayerNorm(size)
        self.norms = nn.ModuleList(nn.LayerNorm(size) for _ in dilations)
        self.convs = nn.ModuleList(nn.Conv1d(size, size, 3, dilation=d, padding=d) for d in dilations)
        self.last_norm, self.output = nn.LayerNorm(size), nn.Linear(size, units)
        self.dropout = nn.Dropout(0.1)

    def forward(self, features: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Map ``(batch, frames, inputs)`` to logits; ``lengths`` are those after the subsampling."""
        x = self.first_norm(self.subsampling(features.transpose(1, 2)).transpose(1, 2))
        valid = (torch.arange(x.shape[1]) < lengths[:, None]).float()[:, :, None]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = x + self.dropout(torch.relu(conv((norm(x) * valid).transpose(1, 2)).transpose(1, 2)))
        return self.output(self.dropout(self.last_norm(x)))

    def copy(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Copy the weights of the blocks ``subsampling, tdnn1, ...`` and of the only head."""
        head = next(name.rsplit("/", 2)[0] for name in weights if name.startswith("heads/") and "/norm/" in name)
        _copy(self.subsampling, weights, "encoder/subsampling/conv")
        _copy(self.first_norm, weights, "encoder/subsampling/norm")
        for place, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True), 1):
            _copy(norm, weights, f"encoder/tdnn{place}/norm")
            _copy(conv, weights, f"encoder/tdnn{place}/conv")
        _copy(self.last_norm, weights, f"{head}/norm")
        _copy(self.output, weights, f"{head}/output")


@torch.no_grad()
def _copy(module: nn.Module, weights: Mapping[str, torch.Tensor], prefix: str) -> None:
    if isinstance(module, nn.LayerNorm):
        module.weight.copy_(weights[f"{prefix}/scale"])
        module.bias.copy_(weights[f"{prefix}/offset"])
        return
    kernel = weights[f"{prefix}/kernel"]
    if isinstance(module, nn.Conv1d):  # Ours is (taps * inputs, outputs), theirs (outputs, inputs, taps).
        taps, inputs = module.kernel_size[0], module.in_channels
        kernel = kernel.reshape(taps, inputs, module.out_channels).permute(2, 1, 0)
    else:
        kernel = kernel.T
    module.weight.copy_(kernel)
    module.bias.copy_(weights[f"{prefix}/bias"])


def make_optimizer(
    parameters: list[nn.Parameter], rate: float, decay: float, betas: tuple[float, float], epsilon: float
) -> torch.optim.Optimizer:
    """Return AdamW that, like speechtl's, decays no biases and normalisation."""
    decayed = {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay}
    plain = {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}
    return torch.optim.AdamW([decayed, plain], lr=rate, betas=betas, eps=epsilon)
