"""What a bench prints: a table for people and a line of JSON a figure for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number.

    Attributes:
        bench: which bench.
        figure: what was measured.
        value: how much.
        unit: of what.
        versus: what it is compared with, measured in the same run; empty for nothing.
        ratio: value divided by that, or None.
    """

    bench: str
    figure: str
    value: float
    unit: str
    versus: str = ""
    ratio: float | None = None


def report(figures: list[Figure]) -> None:
    """Print the table, then the lines."""
    width = max(len(figure.figure) for figure in figures)
    for figure in figures:
        compared = f"{figure.ratio:8.2f} x {figure.versus}" if figure.ratio is not None else ""
        print(f"{figure.figure:{width}}  {figure.value:12,.3f} {figure.unit:10} {compared}")
    for figure in figures:
        print(json.dumps(asdict(figure)))
