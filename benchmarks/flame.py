"""A flame graph: every stack as a column, as wide as it was seen often."""

from html import escape
from typing import Self

from benchmarks.layers import LAYERS, REST, Frame, Stacks

WIDTH = 1_200.0
ROW = 17
TOP = 56
LEAST = 0.4
"""Narrower ones are not drawn."""
CHARACTER = 6.3
COLOURS = dict(
    zip(
        (*LAYERS, REST),
        (
            *("#e8a33d", "#d9c34a", "#5aa9c9", "#6fb36a", "#c97b63"),
            *("#b58cc4", "#a9b4bd", "#8fbf9f", "#d6a5b0", "#d5d2c8"),
        ),
        strict=True,
    )
)


class _Node:
    """A function in its place: below it what has called it."""

    def __init__(self) -> None:
        self.us = 0.0
        self.above: dict[Frame, Self] = {}

    def add(self, stack: tuple[Frame, ...], us: float) -> None:
        node = self
        node.us += us
        for frame in stack:
            node = node.above.setdefault(frame, type(self)())
            node.us += us


def draw(stacks: Stacks, title: str) -> str:
    """Return an SVG without any script; a title on each box says what it is.

    Args:
        stacks: What was seen.
        title: Stands above.
    """
    root = _Node()
    for stack, us in stacks.items():
        root.add(stack, us)
    boxes: list[str] = []
    scale = WIDTH / (root.us or 1.0)
    deepest = 0
    level: list[tuple[float, Frame, _Node]] = _beside(root, 0.0, scale)
    while level:
        above: list[tuple[float, Frame, _Node]] = []
        for x, frame, node in level:
            boxes.append(_box(x, deepest, node.us * scale, frame, node.us))
            above += _beside(node, x, scale)
        level = above
        deepest += 1
    height = TOP + deepest * ROW + 8
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:.0f}" '
        f'height="{height}" font-family="monospace" font-size="11">'
    )
    return "\n".join(
        [
            head,
            f'<text x="4" y="16" font-size="14">{escape(title)}</text>',
            *_legend(),
            *boxes,
            "</svg>",
            "",
        ]
    )


def _beside(node: _Node, x: float, scale: float) -> list[tuple[float, Frame, _Node]]:
    placed = []
    for frame, each in sorted(node.above.items()):
        if each.us * scale >= LEAST:
            placed.append((x, frame, each))
        x += each.us * scale
    return placed


def _box(x: float, depth: int, width: float, frame: Frame, us: float) -> str:
    y = TOP + depth * ROW
    place = "/".join(frame.path.rsplit("/", 3)[-3:])
    name = f"{frame.function} ({place})" if place else frame.function
    told = f"{name}: {us:.1f} µs, {frame.layer}"
    room = int((width - 4) / CHARACTER)
    text = frame.function[:room] if room >= 3 else ""
    return (
        f"<g><title>{escape(told)}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" '
        f'fill="{COLOURS[frame.layer]}"/>'
        f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(text)}</text></g>'
    )


def _legend() -> list[str]:
    parts, x = [], 4.0
    for layer, colour in COLOURS.items():
        parts.append(
            f'<rect x="{x:.0f}" y="28" width="10" height="10" fill="{colour}"/>'
        )
        parts.append(f'<text x="{x + 14:.0f}" y="37">{escape(layer)}</text>')
        x += 30 + len(layer) * CHARACTER * 1.05
    return parts
