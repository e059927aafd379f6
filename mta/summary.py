"""Summaries: what stays of the deliveries of a submission that was finished long ago."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable

from mta.outcomes import Outcome, Status
from mta.submission import Attempt, Delivery


def pack(deliveries: Iterable[Delivery]) -> bytes:
    """Every delivery with its last attempt; the earlier attempts are forgotten."""
    rows = [
        [
            *(one.id, one.recipient, one.status, one.provider, one.detail, one.updated),
            *([_row(one.attempts[-1])] if one.attempts else []),
        ]
        for one in deliveries
    ]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode())


def unpack(summary: bytes) -> tuple[Delivery, ...]:
    """The deliveries as they were packed."""
    return tuple(
        Delivery(
            id, recipient, Status(status), provider, detail, updated, tuple(_attempt(*one) for one in made)
        )
        for id, recipient, status, provider, detail, updated, *made in json.loads(zlib.decompress(summary))
    )


def _row(attempt: Attempt) -> list[object]:
    return [attempt.provider, attempt.outcome, attempt.at, attempt.ms, attempt.detail]


def _attempt(provider: str, outcome: str | None, at: float, ms: int, detail: str) -> Attempt:
    return Attempt(provider, Outcome(outcome) if outcome else None, at, ms, detail)
