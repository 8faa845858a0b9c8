"""Checkpoints on the Hugging Face hub: names, revisions and downloads."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechtl.errors import ModelError
from speechtl.pretrained.checkpoint import CONFIG, INDEX, PREPROCESSOR, WEIGHT_FILES

_NAME = re.compile(r"hf:(?P<repository>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^\s@]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# What says where a model comes from and under which licence.
_PAPERS = re.compile(r"(readme\.md|licen[cs]e(\.\w+)?)", re.IGNORECASE)


@dataclass(frozen=True)
class HubName:
    """``hf:owner/name``, or ``hf:owner/name@revision``.

    Attributes:
        repository: ``owner/name``.
        revision: a branch, a tag or a commit; None for the newest version.
    """

    repository: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "HubName":
        """Read a name.

        Raises:
            ModelError: it is not one.
        """
        found = _NAME.fullmatch(text)
        if found is None:
            raise ModelError(
                f"'{text}': not a name on the Hugging Face hub; expected hf:owner/name or hf:owner/name@revision"
            )
        return cls(found["repository"], found["revision"])

    def __str__(self) -> str:
        return f"hf:{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @property
    def commit(self) -> str | None:
        """The commit, if the revision is one: it always means the same files."""
        return self.revision if self.revision and _COMMIT.fullmatch(self.revision) else None


def is_hub_name(source: str | Path) -> bool:
    """Whether a source is a name on the hub, not a path."""
    return str(source).startswith("hf:")


def download(name: HubName) -> tuple[Path, str]:
    """Download the config, the weights, the model card and the licence of a checkpoint, as far as they are not there.

    Files are kept in huggingface_hub's own cache, which other programs share; a download that was cut off continues.

    Returns:
        The folder and the commit.

    Raises:
        ModelError: no network, no such repository or revision, or one that is not open to everybody.
    """
    # Only here: its import takes a moment.
    from huggingface_hub import HfApi, errors, snapshot_download

    elsewhere = (
        "or download the files elsewhere (config.json, preprocessor_config.json, model.safetensors) and give their "
        "folder as the source"
    )
    try:
        info = HfApi().model_info(name.repository, revision=name.revision)
        commit = str(info.sha)
        files = wanted_files([str(file.rfilename) for file in info.siblings or []])
        # allow_patterns are shell-style: a bracket in a name is to be taken as it is.
        patterns = [re.sub(r"([*?[])", r"[\1]", file) for file in files]
        folder = snapshot_download(name.repository, revision=commit, allow_patterns=patterns, tqdm_class=_bar())
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{name}: its owner asks everybody to accept conditions first; do so on the page of the model and log in "
            f"(hf auth login), {elsewhere}"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{name}: no such repository, or a private one; check the name, log in (hf auth login) if it is private, "
            f"{elsewhere}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(
            f"{name}: no revision '{name.revision}'; give a branch, a tag or a commit that the page of the model lists"
        ) from error
    except (errors.HTTPError, errors.EntryNotFoundError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name}: cannot download ({reason}); check the network and try again, {elsewhere}") from error
    return Path(folder), commit


def wanted_files(present: list[str]) -> list[str]:
    """Return which files of a repository to download: one form of the weights alone, which may be many gigabytes."""
    files = [name for name in present if name in (CONFIG, PREPROCESSOR) or _PAPERS.fullmatch(name)]
    for whole in WEIGHT_FILES:
        if whole in present:
            return [*files, whole]
        if f"{whole}{INDEX}" in present:
            stem, _, suffix = whole.rpartition(".")
            part = re.compile(rf"{re.escape(stem)}-\d+-of-\d+\.{suffix}")
            return [*files, f"{whole}{INDEX}", *filter(part.fullmatch, present)]
    return files


def _bar() -> Any:
    """Return a class of progress bars, shown on terminals only."""
    from huggingface_hub.utils import tqdm

    class Bar(tqdm):
        def __init__(self, *arguments: Any, **options: Any):
            super().__init__(*arguments, **{**options, "disable": options.get("disable") or not sys.stderr.isatty()})

    return Bar
