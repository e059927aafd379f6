"""What an SMTP relay's reply means: one table, by the stage at which it came."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from mta.outcomes import Answer, Outcome
from mta.providers.smtp_connection import Reply, Stage

THROTTLE_PAUSE = 60.0
QUOTA_PAUSE = 3600.0
RECIPIENT_PAUSE = 300.0
MAILBOX_FULL_PAUSE = 1800.0
LONGEST_PAUSE = 86_400.0
"""Seconds to wait where the relay says none, and the most it may ask for."""

QUOTA = re.compile(
    r"daily (message |sending |user sending )?(quota|limit)|maximum credits exceeded|\b[45]\.4\.5\b",
    re.IGNORECASE,
)
RATE = re.compile(
    r"throttl|rate limit|(sending|submission|message|recipient|request|connection)s?[ -](per[ -]\w+ )?rate\b"
    r"|too many (messages|mails|e-?mails|connections|sessions)|sending too (fast|quickly)"
    r"|limit exceeded, try again|\b4\.7\.28\b",
    re.IGNORECASE,
)
SENDER = re.compile(r"sender (address rejected|verify failed)", re.IGNORECASE)
DATE = re.compile(r"after (\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [\w+-]{1,6})", re.IGNORECASE)
CLOCK = re.compile(r"\b(?:in|after) (\d{1,2}):(\d\d):(\d\d)\b")
COUNT = re.compile(
    r"\b(?:in|after|for) (?:about )?(\d{1,6}) ?(s|sec|second|m|min|minute|h|hour)s?\b", re.IGNORECASE
)


def judge(stage: Stage, reply: Reply, now: float) -> Answer:
    """The class of a reply that is not the one hoped for.

    Args:
        stage: what it answers.
        reply: the relay's words.
        now: the time in seconds since the epoch, for pauses.
    """
    return _Judgement(stage, reply, now).answer()


def pause_until(text: str, now: float) -> float | None:
    """When to try again as a refusal says it: a date, a number of seconds, minutes or hours, or `00:05:00`.

    Returns:
        Seconds since the epoch, not in the past and at most a day ahead, or None when it says nothing.
    """
    seconds: float
    if match := DATE.search(text):
        try:
            seconds = parsedate_to_datetime(match[1]).timestamp() - now
        except (ValueError, TypeError):
            return None
    elif match := CLOCK.search(text):
        seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    elif match := COUNT.search(text):
        seconds = int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2][0].lower()]
    else:
        return None
    return now + min(max(seconds, 0.0), LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class _Judgement:
    stage: Stage
    reply: Reply
    now: float

    def answer(self) -> Answer:
        if self.reply.code < 400:
            return self._strange()
        return self._limit() or (self._temporary() if self.reply.code < 500 else self._permanent())

    def _strange(self) -> Answer:
        """Neither yes nor no."""
        if self.stage is Stage.FINAL:
            return self._say(Outcome.UNCERTAIN, "gave no clear answer to the mail")
        return self._say(Outcome.UNAVAILABLE, f"gave no clear answer to {self.stage}")

    def _limit(self) -> Answer | None:
        """Too much or too fast, whatever the code."""
        text = self.reply.text
        if QUOTA.search(text):
            return self._pause(Outcome.OVER_QUOTA, "takes no more mail for now", QUOTA_PAUSE)
        if self.reply.code < 500 and RATE.search(text):
            return self._pause(Outcome.THROTTLED, "asks for slower sending", THROTTLE_PAUSE)
        return None

    def _temporary(self) -> Answer:
        code, enhanced = self.reply.code, self.reply.enhanced
        greylisted = enhanced.startswith(("4.2.", "4.7.")) or (code == 450 and not enhanced)
        about_recipient = self.stage is Stage.RCPT or (self.stage is Stage.FINAL and greylisted)
        if code == 421 or not about_recipient or enhanced == "4.1.8":
            return self._say(Outcome.UNAVAILABLE, "is not available now")
        pause = MAILBOX_FULL_PAUSE if enhanced == "4.2.2" else RECIPIENT_PAUSE
        return self._pause(Outcome.DEFERRED, "cannot take the mail for this recipient yet", pause)

    def _permanent(self) -> Answer:
        if self.reply.code in (530, 534, 535, 538):
            return self._say(Outcome.MISCONFIGURED, "wants another log-in")
        unverified = self.stage is not Stage.RCPT and "not verified" in self.reply.text.lower()
        if unverified or SENDER.search(self.reply.text):
            return (
                self._sender()
            )  # many relays check the sender only when they have the recipient, or the mail
        match self.stage:
            case Stage.MAIL:
                return self._at_mail()
            case Stage.RCPT:
                return self._at_recipient()
            case Stage.DATA | Stage.FINAL:
                return self._at_end()
            case Stage.LOGIN:
                return self._say(Outcome.MISCONFIGURED, "does not accept the log-in")
            case _:
                if 500 <= self.reply.code <= 504:
                    return self._say(Outcome.MISCONFIGURED, f"does not understand {self.stage}")
                return self._say(Outcome.UNAVAILABLE, f"refuses {self.stage}")

    def _at_mail(self) -> Answer:
        if self._is_size:
            return self._size()
        if self.reply.code in (500, 502, 503, 504):
            return self._say(Outcome.MISCONFIGURED, "does not understand the sender's command")
        return self._sender()

    def _at_recipient(self) -> Answer:
        code, enhanced = self.reply.code, self.reply.enhanced
        if enhanced in ("5.1.7", "5.1.8"):
            return self._sender()
        if enhanced == "5.2.2" or (code == 552 and not self._is_size):
            return self._pause(Outcome.DEFERRED, "says that the mailbox is full", MAILBOX_FULL_PAUSE)
        if code == 552:
            return self._size()
        if code in (502, 503, 504) and not enhanced.startswith("5.1."):
            return self._say(Outcome.MISCONFIGURED, "does not understand the recipient's command")
        # One weird address must never take a relay out of service: 500 and 501 are the address's fault here.
        certain = enhanced.startswith("5.1.") or (not enhanced and code in (550, 551, 553, 556))
        relaying = "relay" in self.reply.text.lower()
        return self._say(
            Outcome.REJECTED_RECIPIENT, "refused the recipient", try_other=not certain or relaying
        )

    def _at_end(self) -> Answer:
        if self._is_size:
            return self._size()
        if self.reply.enhanced == "5.2.2":
            return self._pause(Outcome.DEFERRED, "says that the mailbox is full", MAILBOX_FULL_PAUSE)
        if self.stage is Stage.DATA and self.reply.code in (500, 502, 503, 504):
            return self._say(Outcome.MISCONFIGURED, "does not understand the mail's command")
        certain = self.reply.enhanced.startswith("5.6.") or "duplicate header" in self.reply.text.lower()
        return self._say(Outcome.REJECTED_MESSAGE, "refused the mail", try_other=not certain)

    @property
    def _is_size(self) -> bool:
        enhanced = self.reply.enhanced
        return enhanced in ("5.3.4", "5.2.3") or (
            self.reply.code == 552 and not enhanced.startswith("5.2.") and self.stage is not Stage.RCPT
        )

    def _size(self) -> Answer:
        return self._say(Outcome.REJECTED_MESSAGE, "says that the mail is too large", try_other=True)

    def _sender(self) -> Answer:
        return self._say(Outcome.MISCONFIGURED, "does not send for this sender", sender_only=True)

    def _pause(self, outcome: Outcome, sentence: str, default: float) -> Answer:
        retry_at = pause_until(self.reply.text, self.now)
        return Answer(outcome, self._sentence(sentence), retry_at=retry_at or self.now + default)

    def _say(
        self, outcome: Outcome, sentence: str, *, try_other: bool = False, sender_only: bool = False
    ) -> Answer:
        return Answer(outcome, self._sentence(sentence), try_other=try_other, sender_only=sender_only)

    def _sentence(self, sentence: str) -> str:
        return f"The relay {sentence}: {self.reply}"
