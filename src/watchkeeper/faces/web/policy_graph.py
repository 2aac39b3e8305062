"""An escalation policy as a drawing: boxes for steps, lines for waits, a loop for repeats. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.kernel import text

WIDTH, BOX, LEFT = 460, 400, 6
LINE, PAD, WAIT = 20, 14, 46
MOST_LETTERS = 50


@dataclass(frozen=True, slots=True)
class Node:
    """A step: what it is called, and a line for each target: (target, who that is now)."""

    title: str
    lines: Sequence[tuple[str, str, bool]]
    kind: str


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; ``css`` names its looks."""

    x: float
    y: float
    words: str
    css: str


@dataclass(frozen=True, slots=True)
class Box:
    """A rounded box."""

    y: float
    height: float
    css: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The drawing, in units of which a screen shows one as a pixel."""

    width: int
    height: float
    box: int
    left: int
    boxes: Sequence[Box]
    texts: Sequence[Text]
    lines: Sequence[str]
    tips: Sequence[str]


def graph(nodes: Sequence[Node], waits: Sequence[float], repeat: int) -> Graph:
    """``nodes``: the steps in order, then the fallback; ``waits``: seconds after each step."""
    boxes, texts, lines, tips = list[Box](), list[Text](), list[str](), list[str]()
    y, middle = 4.0, LEFT + 32
    for i, node in enumerate(nodes):
        height = 2 * PAD + LINE * (1 + 2 * len(node.lines)) - 4
        boxes.append(Box(y, height, node.kind))
        texts.append(Text(LEFT + 16, y + PAD + 11, node.title, "h"))
        for j, (target, who, bad) in enumerate(node.lines):
            top = y + PAD + 11 + LINE * (1 + 2 * j)
            texts.append(Text(LEFT + 16, top, _cut(target), "s"))
            texts.append(Text(LEFT + 16, top + LINE - 2, _cut(who), "bad" if bad else "e"))
        y += height
        if i < len(waits):
            lines.append(f"M{middle} {y}V{y + WAIT - 5}")
            tips.append(_tip(middle, y + WAIT))
            texts.append(Text(middle + 14, y + WAIT / 2 + 4, _wait(waits[i], i, waits, repeat), ""))
            y += WAIT
    if repeat and waits:
        _loop(boxes, waits, lines, tips)
        middle_of_loop = (boxes[0].y + boxes[len(waits) - 1].y + boxes[len(waits) - 1].height) / 2
        texts.append(Text(LEFT + BOX + 44, middle_of_loop, f"{repeat} × more", "l"))
    return Graph(WIDTH, y + 4, BOX, LEFT, boxes, texts, lines, tips)


def _loop(boxes: Sequence[Box], waits: Sequence[float], lines: list[str], tips: list[str]) -> None:
    """From below the last step back into the first."""
    last, first = boxes[len(waits) - 1], boxes[0]
    down, up = last.y + last.height / 2, first.y + first.height / 2 - 8
    right = LEFT + BOX
    if len(waits) == 1:
        down = first.y + first.height / 2 + 14
    x = right + 26
    lines.append(f"M{right} {down}H{x - 8}Q{x} {down} {x} {down - 8}V{up + 8}Q{x} {up} {x - 8} {up}"
                 f"H{right + 6}")  # fmt: skip
    tips.append(f"M{right + 1} {up}l8 -4.5v9z")


def _tip(x: float, y: float) -> str:
    return f"M{x} {y - 1}l-4.5 -8h9z"


def _wait(seconds: float, i: int, waits: Sequence[float], repeat: int) -> str:
    said = f"no answer for {text.duration(seconds)}"
    if i == len(waits) - 1 and repeat:
        return f"{said}; after the last round"
    return said


def _cut(words: str) -> str:
    return words if len(words) <= MOST_LETTERS else words[: MOST_LETTERS - 1] + "…"
