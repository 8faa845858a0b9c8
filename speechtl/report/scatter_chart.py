"""Points of several classes in two dimensions as a picture: one panel each, side by side."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from speechtl.report.picture import PALE, look, picture_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL = 3.6  # Inches.


@dataclasses.dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: above it.
        note: below the title.
        points: ``(points, 2)``.
        classes: the class of each point.
        axis_names: of the two dimensions.
    """

    title: str
    note: str
    points: np.ndarray
    classes: Sequence[str]
    axis_names: tuple[str, str] = ("first principal component", "second principal component")


def draw_scatter(panels: Sequence[Panel]) -> "Figure":
    """Draw panels side by side, each on its own scale; a class has the same colour and marker in all of them.

    Returns:
        A figure for `save_picture`, or to be shown in a notebook.
    """
    from matplotlib.figure import Figure

    classes = sorted({name for panel in panels for name in panel.classes})
    columns = min(len(classes), 3 * len(panels))
    rows = -(-len(classes) // columns)
    with picture_style():
        figure = Figure(figsize=(_PANEL * len(panels), _PANEL + 0.5 + 0.2 * rows), layout="constrained")
        for number, panel in enumerate(panels, 1):
            # One scale for both axes: distances in the picture are distances in the plane.
            axes = figure.add_subplot(1, len(panels), number, aspect="equal", adjustable="datalim", box_aspect=1)
            title = axes.set_title(panel.title, pad=20)
            axes.annotate(panel.note, (0, 0), (0, -14), title, textcoords="offset points", color=PALE, fontsize="small")
            axes.set_xlabel(panel.axis_names[0])
            axes.set_ylabel(panel.axis_names[1])
            names = np.asarray(panel.classes)
            for place, name in enumerate(classes):
                style = look(place)
                x, y = panel.points[names == name].T
                axes.scatter(x, y, s=16, c=style["color"], marker=style["marker"], alpha=0.6, linewidths=0, label=name)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=columns)
    return figure
