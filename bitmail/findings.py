"""Findings: what an examination of this installation says of one thing, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and something will go wrong some day."""
    BAD = "bad"
    """Mail does not go out, or does not arrive."""
    UNKNOWN = "unknown"
    """It could not be found out from here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what.
        verdict: how it is.
        found: one sentence.
        mend: what to do, or "".
    """

    about: str
    verdict: Verdict
    found: str
    mend: str = ""
