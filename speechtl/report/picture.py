"""The style of all pictures that stand alone, and how they are written; drawn by matplotlib.

Pictures are figures of matplotlib without its global state (pyplot), so that they can be drawn in any thread and shown
in a notebook. matplotlib is imported when the first one is drawn.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechtl.errors import ConfigError
from speechtl.files import replacing
from speechtl.report.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEXT, PALE, RULE = "#1c1f23", "#6b7280", "#e2e5e9"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SUFFIXES = (".svg", ".png")

# Scripts that DejaVu Sans lacks; those that are installed are asked for missing letters, in this order.
_FALLBACKS = (
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Unifont",
)

# The ground is white and opaque: pages are light or dark, and text on a transparent ground is legible on one of them.
_STYLE: Mapping[str, Any] = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 150,
    "font.size": 10,
    "text.color": TEXT,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": TEXT,
    "axes.edgecolor": PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    # The same data give the same bytes: identifiers are not random, and text is text, in the reader's font.
    "svg.hashsalt": "speechtl",
    "svg.fonttype": "none",
}


@contextmanager
def picture_style() -> Iterator[None]:
    """Let matplotlib draw in the style of the project inside the block."""
    import matplotlib
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in _FALLBACKS if name in installed)]
    settings: Any = {**_STYLE, "font.family": families}
    with matplotlib.rc_context(settings):
        yield


def look(number: int) -> dict[str, Any]:
    """Return colour, marker and dashes of a series: neither colour alone nor black and white lose the difference."""
    lap, place = divmod(number, len(COLOURS))
    return {
        "color": COLOURS[place],
        "marker": MARKERS[(place + lap) % len(MARKERS)],
        "linestyle": ("-", "--", ":")[lap % 3],
    }


def check_picture_path(path: str | Path) -> None:
    """Refuse what is no picture that `save_picture` writes; for commands that compute before they draw.

    Raises:
        ConfigError: the file's ending is not that of a picture.
    """
    if Path(path).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: not a picture (got '{Path(path).suffix}', expected {' or '.join(SUFFIXES)})")


def save_picture(figure: "Figure", path: str | Path) -> None:
    """Write a picture as SVG or PNG, by the file's ending; the same picture gives the same bytes.

    Raises:
        ConfigError: another ending.
        DataError: the file cannot be written.
    """
    check_picture_path(path)
    # What would differ from day to day or from one release of matplotlib to the next.
    svg = Path(path).suffix.lower() == ".svg"
    metadata: dict[str, str | None] = {"Date": None, "Creator": None} if svg else {"Software": None}
    with picture_style(), replacing(path) as temporary:
        figure.savefig(temporary, bbox_inches="tight", metadata=metadata)
