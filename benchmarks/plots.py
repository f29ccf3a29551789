"""Pictures of a report: PNG, once for light pages and once for dark ones."""

import base64
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#1f6feb", "#2da44e", "#bf8700", "#cf222e", "#8250df", "#768390")
_INK = {"light": "#1f2328", "dark": "#d7dee6"}
_DPI = 130


class Picture:
    """One picture, drawn for both kinds of pages, as base64 of a PNG."""

    def __init__(self, draw: Callable[[], Figure], says: str) -> None:
        """Draw it; `says` tells what is to be seen to who does not see it."""
        self.says = says
        self.light, self.dark = (_png(draw, _INK[page]) for page in ("light", "dark"))


def _png(draw: Callable[[], Figure], ink: str) -> str:
    mpl.use("Agg")
    theme: Any = dict.fromkeys(
        (
            *("text.color", "axes.labelcolor", "axes.edgecolor", "axes.titlecolor"),
            *("xtick.color", "ytick.color", "legend.labelcolor"),
        ),
        ink,
    )
    with mpl.rc_context(theme | {"font.size": 9}):
        file = BytesIO()
        # Without the program's version equal figures are equal files.
        draw().savefig(file, dpi=_DPI, transparent=True, metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode()


def _figure(width: float, height: float, parts: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(1, parts, 1 + place) for place in range(parts)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="both", alpha=0.2)
        axis.set_axisbelow(True)
    return figure, axes


def bars(
    title: str, rows: Mapping[str, Mapping[str, float]], *, is_log: bool = False
) -> Picture:
    """Draw a group of bars for each row, with its figure at the end of each bar."""
    kinds = list(dict.fromkeys(kind for row in rows.values() for kind in row))

    def draw() -> Figure:
        height = 1.1 + 0.24 * sum(len(row) for row in rows.values())
        figure, (axis,) = _figure(8.2, height)
        ends: list[float] = []
        for place, kind in enumerate(kinds):
            at = [
                n + (place - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
                for n in range(len(rows))
            ]
            # What a row does not have has no bar, and is no nought either.
            at = [a for a, row in zip(at, rows.values(), strict=True) if kind in row]
            values = [row[kind] for row in rows.values() if kind in row]
            drawn = axis.barh(at, values, 0.72 / len(kinds), color=COLOURS[place])
            drawn.set_label(kind)
            axis.bar_label(drawn, fmt="{:,.5g}", padding=3, fontsize=8)
            ends += values
        axis.set_yticks(range(len(rows)), list(rows))
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
        least = min((value for value in ends if value > 0), default=1.0)
        if is_log:
            axis.set_xscale("log")
            axis.set_xlim(least / 2, max(ends, default=1.0) * 3)
        else:
            axis.margins(x=0.15)
        axis.set_title(title, fontsize=10)
        if len(kinds) > 1:
            axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return figure

    return Picture(draw, title)


def seconds(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Draw a run of `chat --mix`, second by second."""

    def draw() -> Figure:
        figure, (pace, latency) = _figure(9.6, 2.9, 2)
        at = [row["at_s"] for row in rows]
        for place, kind in enumerate(("due", "delivered")):
            values = [row[kind] for row in rows]
            pace.plot(at, values, label=kind, color=COLOURS[place], linewidth=1.3)
        for place, kind in enumerate(("p50_ms", "p99_ms")):
            values = [row[kind] or None for row in rows]
            latency.plot(
                at, values, label=kind[:3], color=COLOURS[place], linewidth=1.3
            )
        pace.set_ylim(bottom=0)
        latency.set_yscale("log")
        for axis, title in ((pace, "messages a second"), (latency, "milliseconds")):
            axis.set_title(f"{title}, each second of the run", fontsize=10)
            axis.set_xlabel("seconds")
            axis.legend(frameon=False)
        return figure

    return Picture(draw, "pace and latency, each second of the run")


def curves(lines: Mapping[str, Sequence[Sequence[float]]]) -> Picture:
    """Draw which share of the messages took how long, a line for each transport."""

    def draw() -> Figure:
        figure, (axis,) = _figure(8.2, 2.9)
        for place, (name, points) in enumerate(lines.items()):
            shares, times = zip(*points, strict=True)
            percents = [100 * share for share in shares]
            axis.plot(times, percents, marker=".", label=name, color=COLOURS[place])
        axis.set_xscale("log")
        axis.set_xlabel("milliseconds, from when a message was due")
        axis.set_title("% of the messages that were shown by then", fontsize=10)
        axis.legend(frameon=False)
        return figure

    return Picture(draw, "share of the messages by the time they took")


def pictures_of(figures: Mapping[str, Callable[[], Figure]]) -> list[Picture]:
    """Draw figures that others make."""
    return [Picture(draw, says) for says, draw in figures.items()]
