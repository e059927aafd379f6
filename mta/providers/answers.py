"""What the answer of a service means: a table in each provider's file, read from the top."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from mta.email import one_line
from mta.outcomes import Answer, Outcome
from mta.providers.smtp_answers import pause_until

DETAIL_CHARACTERS = 400
WHOLE_CHARACTERS = 4000
"""How much of an answer is kept: in the sentence, and as it came."""
BODY_CHARACTERS = 20_000
"""How much of an answer is looked at."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What came of a call.

    Attributes:
        status: the HTTP status; 0 when there was no answer.
        code: the service's own name for it, or the name of the failure to get an answer, or "".
        text: in the service's words, as they came.
        retry_at: when the service says to try again, in seconds since the epoch, or None.
        body: the whole answer as it came, or "".
    """

    status: int = 0
    code: str = ""
    text: str = ""
    retry_at: float | None = None
    body: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. It fits when each of its three conditions does.

    Attributes:
        outcome: what such an answer means.
        says: the same in words that follow the name of the service.
        statuses: HTTP statuses; None for any.
        codes: the service's own names; None for any.
        words: a regular expression, to be found in the text in any case.
        pause: seconds to wait where the service says none.
        try_other, sender_only: as in `Answer`.
    """

    outcome: Outcome
    says: str
    statuses: Container[int] | None = None
    codes: Container[str] | None = None
    words: str = ""
    pause: float = 0.0
    try_other: bool = False
    sender_only: bool = False

    def fits(self, signal: Signal) -> bool:
        """Whether the row is about this."""
        return (
            (self.statuses is None or signal.status in self.statuses)
            and (self.codes is None or signal.code in self.codes)
            and (not self.words or re.search(self.words, signal.text, re.IGNORECASE) is not None)
        )


REST = (
    Row(Outcome.UNCERTAIN, "got no answer from behind its own gateway, and may have taken the mail", [504]),
    Row(Outcome.UNAVAILABLE, "is not available now", range(500, 600)),
    Row(Outcome.REJECTED_MESSAGE, "refused the mail", range(400, 500), try_other=True),
    Row(Outcome.MISCONFIGURED, "did not give the answer of its API", range(100, 400)),
    Row(Outcome.UNCERTAIN, "gave no clear answer, and may have taken the mail"),
)
"""What stands below every table."""


class Secrets:
    """What must not be seen in any text; shows nothing of itself."""

    def __init__(self, *values: str) -> None:
        plain = [
            (value, base64.b64encode(value.encode()).decode(), quote(value, safe=""))
            for value in values
            if value
        ]
        forms = {form for three in plain for form in three}
        in_json = {json.dumps(form)[1:-1] for form in forms}
        escaped = {form.replace("/", "\\/") for form in in_json}  # as many services write it
        self._forms = sorted(forms | in_json | escaped, key=len, reverse=True)

    def cover(self, text: str) -> str:
        """The text with asterisks in their place, in whatever form they stand there."""
        for form in self._forms:
            text = text.replace(form, "***")
        return text


@dataclass(frozen=True, slots=True)
class Judge:
    """Reads one provider's table.

    Attributes:
        service: its name, as the sentences begin.
        table: from the top; `REST` comes below.
        secrets: covered in every text.
    """

    service: str
    table: Sequence[Row]
    secrets: Secrets = field(repr=False)

    def judge(self, signal: Signal, now: float) -> Answer:
        """The class of what came of a call; `now` in seconds since the epoch, for pauses."""
        row = next(row for row in (*self.table, *REST) if row.fits(signal))
        retry_at = None
        if row.outcome in (Outcome.THROTTLED, Outcome.OVER_QUOTA, Outcome.DEFERRED):
            retry_at = signal.retry_at or pause_until(signal.text[:BODY_CHARACTERS], now) or now + row.pause
        return Answer(
            row.outcome,
            self._detail(row.says, signal),
            retry_at=retry_at,
            try_other=row.try_other,
            sender_only=row.sender_only,
            whole=self._whole(signal),
        )

    def took(self, signal: Signal, provider_id: str) -> Answer:
        """The answer to a mail that the service took, and calls by this id."""
        said = f"{self.service} took it."
        return Answer(Outcome.ACCEPTED, said, provider_id=provider_id, whole=self._whole(signal))

    def too_large(self, size: int, most: int) -> Answer:
        """The answer to a mail that the service is known not to take; both in encoded bytes."""
        sentence = f"The mail has {size:,} bytes as it is sent; {self.service} takes at most {most:,}."
        return Answer(Outcome.REJECTED_MESSAGE, sentence, try_other=True)

    def unable(self, reason: str) -> Answer:
        """The answer to a mail that the service has no way to carry."""
        return Answer(
            Outcome.REJECTED_MESSAGE, f"{self.service} cannot carry the mail: {reason}.", try_other=True
        )

    def _whole(self, signal: Signal) -> str:
        return self.secrets.cover(signal.body)[:WHOLE_CHARACTERS]

    def _detail(self, says: str, signal: Signal) -> str:
        text = one_line(self.secrets.cover(signal.text)[:BODY_CHARACTERS])
        code = "" if signal.code in text or not signal.code else signal.code
        words = " ".join(f"{signal.status or ''} {code} {text}".split())
        return f"{self.service} {says}{': ' if words else '.'}{words}"[:DETAIL_CHARACTERS]
