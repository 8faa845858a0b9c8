"""The model card of an imported encoder, and what others' model cards say of their licence."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from speechtl.pretrained.checkpoint import Checkpoint
from speechtl.pretrained.convert import Converted

NOT_STATED = "not stated"

_ASSUMED = (
    "\nThe checkpoint has no `preprocessor_config.json`, which says how its features were computed: they are taken to "
    "be what transformers takes by default.\n"
)


@dataclass(frozen=True)
class Origin:
    """Where a checkpoint comes from.

    Attributes:
        name: on the hub, ``hf:owner/name``, or the path of the folder.
        revision: the commit; None for a folder.
        licence: as its model card or a file ``LICENSE`` states it.
    """

    name: str
    revision: str | None
    licence: str


def read_licence(folder: Path) -> str:
    """Return the licence that a folder's model card states, or the first line of its licence, or `NOT_STATED`."""
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    if "readme.md" in files:
        stated = _front_matter(files["readme.md"])
        # "other" has its name beside it.
        licence = stated.get("license_name") if stated.get("license") == "other" else None
        if licence or stated.get("license"):
            link = f" ({stated['license_link']})" if "license_link" in stated else ""
            return (licence or stated["license"]) + link
    for name, path in files.items():
        if re.fullmatch(r"licen[cs]e(\.\w+)?", name):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            return next((line.strip() for line in lines if line.strip()), NOT_STATED)
    return NOT_STATED


def _front_matter(path: Path) -> dict[str, str]:
    """Return the keys and values on single lines between the first two ``---`` of a page."""
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    lines = found[1].splitlines() if found else []
    pairs = re.findall(r"^(\w+):[ \t]*(\S.*?)[ \t]*$", "\n".join(lines), re.MULTILINE)
    return {key: value.strip("\"'") for key, value in pairs}


def model_card(origin: Origin, converted: Converted, checkpoint: Checkpoint) -> str:
    """Return the text of an imported directory's ``README.md``."""
    count = sum(array.size for array in converted.arrays.values())
    rows = {
        "origin": origin.name,
        "revision": origin.revision or "none: a folder",
        "licence": origin.licence,
        "family": converted.family,
        "parameters": f"{count:,}",
        "blocks": ", ".join(converted.blocks),
        "left out": ", ".join(f"{what} ({number} tensors)" for what, number in converted.unused.items()) or "nothing",
    }
    sections = {
        "features": converted.features.model_dump(include=set(converted.features.model_fields_set), mode="json"),
        "normalisation": {"kind": "none"},
        "model": {"encoder": converted.model.encoder.model_dump(exclude_none=True, mode="json")},
    }
    if converted.features.kind == "waveform":
        # Frames of samples have no bins to mask.
        sections["augmentation"] = {"frequency_masks": 0}
    # Not by tomli_w, which would write it where only the beginning of a file is the right place.
    transfer = f'[[transfer]]\nmethod = "layer_transfer"\nsource = {json.dumps(_source(origin))}\nblocks = "encoder"\n'
    table = "".join(f"| {key} | {value} |\n" for key, value in rows.items())
    digests = "".join(f"| `{name}` | `{digest}` |\n" for name, digest in checkpoint.digests.items())
    assumed = "" if checkpoint.preprocessor else _ASSUMED
    return (
        f"# Encoder of {Path(origin.name.removeprefix('hf:')).name}, imported by speechtl\n\n"
        f"| | |\n|---|---|\n{table}{assumed}\nTo transfer from it, a config needs these sections, and a head:\n\n"
        f"```toml\n{tomli_w.dumps(sections)}\n{transfer}```\n\n"
        f"## Files it was made of\n\n| file | SHA-256 |\n|---|---|\n{digests}"
    )


def _source(origin: Origin) -> str:
    """Return the ``source`` of a config that means this checkpoint and no other version."""
    return origin.name if origin.revision is None else f"{origin.name}@{origin.revision}"
