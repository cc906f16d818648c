"""The picture of a comparison: one small bar chart for each of the main rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.rows import Found, Row

OURS, LIMIT, OTHERS = "#d9480f", "#868e96", "#a5bfdd"
INK, FAINT = "#212529", "#6c757d"
COLUMNS, WIDTH, BAR, HEAD, TOP = 3, 12.0, 0.24, 0.62, 0.55  # inches
PADS = {"w_pad": 0.15, "h_pad": 0.06, "hspace": 0.05, "wspace": 0.04}
LOGARITHMIC = 12  # the ratio of the longest bar to the shortest from which on the scale is logarithmic
STYLE = {"font.family": "sans-serif", "font.size": 9, "text.color": INK}


def draw(path: Path, caption: str, panels: Sequence[tuple[Row, str]], found: Found, titles: dict[str, str]) -> bool:
    """Write the picture; False where there is no matplotlib."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        return False
    lines = -(-len(panels) // COLUMNS)
    height = TOP + lines * (HEAD + BAR * len(found))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
        figure.get_layout_engine().set(**PADS)
        figure.suptitle(caption, x=0.012, ha="left", fontsize=9.5, color=FAINT)
        axes = figure.subplots(lines, COLUMNS, squeeze=False).flat
        for axis, (row, title) in zip(axes, panels, strict=False):
            panel(axis, row, title, found, titles)
        for axis in list(axes)[len(panels) :]:
            axis.set_axis_off()
        figure.savefig(path, dpi=110)
    return True


def panel(axis: Any, row: Row, title: str, found: Found, titles: dict[str, str]) -> None:
    """Bars from the top down in the order of ``found``; a peer without a figure has a dash."""
    values = [(figures.get(row.key) or 0) / row.unit for figures in found.values()]
    left, right, logarithmic = limits([value for value in values if value])
    axis.barh(range(len(found)), values, 0.74, color=[colour(name) for name in found])
    axis.set_xscale("log" if logarithmic else "linear")
    axis.set_xlim(left, right)
    for place, (name, figures) in enumerate(found.items()):
        at = (max(values[place], left), place)
        axis.annotate(row.cell(figures) or "-", at, (4, -0.5), textcoords="offset points", va="center", **font(name))
    clear(axis, len(found))
    axis.set_yticks(range(len(found)), titles.values())
    for name, label in zip(found, axis.get_yticklabels(), strict=True):
        label.set(**font(name))
    axis.set_title(title, loc="left", fontsize=10, fontweight="bold", pad=15)
    direction = f"{'more' if row.more else 'less'} is better{', logarithmic scale' if logarithmic else ''}"
    axis.annotate(direction, (0, 1), (0, 4), "axes fraction", textcoords="offset points", fontsize=7.5, color=FAINT)


def limits(known: Sequence[float]) -> tuple[float, float, bool]:
    """The ends of the axis, with room for a label on the right, and whether it is logarithmic."""
    if not known:
        return 0, 1, False
    low, high = min(known), max(known)
    if high / low < LOGARITHMIC:
        return 0, high * 1.45, False
    return low / 2, high * (2 * high / low) ** 0.5, True


def colour(name: str) -> str:
    return {"vecstore": OURS, "limit": LIMIT}.get(name, OTHERS)


def font(name: str) -> dict[str, str]:
    return {"fontweight": "bold", "color": OURS} if name == "vecstore" else {"color": INK}


def clear(axis: Any, bars: int) -> None:
    """No frame, no ticks: the figures stand at the bars. The first bar is the top one."""
    axis.set_ylim(bars - 0.4, -0.6)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.spines["left"].set_color(FAINT)
    axis.tick_params(left=False, bottom=False, labelbottom=False, which="both")
