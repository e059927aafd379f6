"""What an author is told of a mail that came to nothing: who did not get it, why, and what to do."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from bitmail.catalogue import N_, _, decimal, moment
from bitmail.retelling import retold
from mta.bounce import ENHANCED, Bounce, Told
from mta.submission import Delivery

LISTED = 50
"""Recipients that the message names; the part for programs names all."""
_ADVICE = (
    (
        "5.2.2",
        re.compile(r"quota|full", re.IGNORECASE),
        N_("The mailbox there is full. Send the mail again in a few days."),
    ),
    (
        "5.3.4",
        re.compile(r"too large|too big|size", re.IGNORECASE),
        N_("The mail is too large for them. Send it with smaller files, or a link to them."),
    ),
    (
        "5.7.",
        re.compile(r"spam|policy|block|reputation", re.IGNORECASE),
        N_(
            "Their server does not want this mail. Write it in other words, or ask the operator of this service."
        ),
    ),
    (
        "5.1.",
        re.compile(r"unknown|no such|not exist|invalid|not found", re.IGNORECASE),
        N_(
            "Check the address for a typing mistake. If it is right, it does not exist any more: "
            "ask the person another way."
        ),
    ),
)
"""What to do: by the beginning of the enhanced status code (RFC 3463), or else by words."""
_OTHERWISE = N_("Put right what is said above if you can, and send the mail again.")


def told(bounce: Bounce) -> Told:
    """What the message says, in the language that counts."""
    subject = bounce.submission.subject
    return Told(
        _("Mail Delivery System"),
        _("Not delivered: {subject}", subject=subject) if subject else _("Not delivered"),
        _text(bounce),
    )


def advice(delivery: Delivery) -> str:
    """What the author can do about a delivery that came to nothing."""
    found = ENHANCED.search(delivery.detail)
    if found:
        code = f"5{found[1][1:]}."
        return _(next((words for start, _pattern, words in _ADVICE if code.startswith(start)), _OTHERWISE))
    return _(
        next((words for _start, pattern, words in _ADVICE if pattern.search(delivery.detail)), _OTHERWISE)
    )


def _text(bounce: Bounce) -> str:
    submission, failed = bounce.submission, bounce.deliveries
    total = len(submission.deliveries)
    when = moment(datetime.fromtimestamp(submission.created, UTC), _("d MMMM y, HH:mm"))
    mail = _("Your mail “{subject}”", subject=submission.subject) if submission.subject else _("Your mail")
    if total > 1:
        first = _(
            "{mail} of {when} UTC could not be delivered to {count} of its {total} recipients.",
            mail=mail,
            when=when,
            count=decimal(len(failed)),
            total=decimal(total),
        )
    else:
        first = _("{mail} of {when} UTC could not be delivered to its recipient.", mail=mail, when=when)
    lines = [first, ""]
    for delivery in failed[:LISTED]:
        reason = retold(delivery.detail) or _("No reason was given.")
        lines += [delivery.recipient, f"    {reason}", f"    {advice(delivery)}", ""]
    if len(failed) > LISTED:
        more = decimal(len(failed) - LISTED)
        lines += [_("And {count} more; the second part of this message names them all.", count=more), ""]
    if len(failed) < total:
        lines += [_("The page of the mail in Sent shows what became of the others."), ""]
    return "\n".join(lines)
