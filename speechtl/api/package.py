"""``speechtl.package``: an experiment to what the package can carry."""

from pathlib import Path
from typing import TYPE_CHECKING

from speechtl.api.paths import StrPath

if TYPE_CHECKING:
    from speechtl.pretrained.package_model import Packaged


def package(
    experiment: StrPath,
    out: StrPath,
    card: StrPath,
    *,
    limit: float = 12.0,
    frozen: str | None = None,
    download: float = 0.0,
) -> "Packaged":
    """Make of a finished experiment what comes with the package: half precision, no lexicons, no paths, and a card.

    Args:
        experiment: the experiment directory.
        out: the folder to write; one that holds a packaged model is replaced.
        card: TOML: ``summary``, ``licence``, ``attribution``, ``trained``, ``good``, ``bad``, ``[[data]]`` and
            ``[[numbers]]``.
        limit: in MB; what is larger is refused.
        frozen: a checkpoint ``"hf:owner/name"``, whose unchanged weights are left out and fetched at the first use.
        download: the size of that download in MB.

    Raises:
        SpeechtlError: no finished experiment, an incomplete card, or too large.
    """
    from speechtl.exporting.exported_parts import exported_parts
    from speechtl.pretrained.package_model import package_model

    return package_model(
        Path(experiment), Path(out), Path(card), exported_parts, limit=limit, frozen=frozen, download=download
    )
