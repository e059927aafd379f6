"""What receiving servers and providers say, in plain language."""

from __future__ import annotations

import re

from bitmail.catalogue import N_, _

_SAYINGS = (
    (
        r"\b[45]\.1\.1\b|\b5\.1\.10\b|user (is )?unknown|unknown (user|recipient|mailbox)"
        r"|no such (user|mailbox|recipient|person)"
        r"|(mailbox|user|account|address)( \S+)? (does not|doesn't) exist|(mailbox|user|account) (was )?not found"
        r"|invalid (mailbox|recipient)",
        N_("The receiving server says that this mailbox does not exist."),
    ),
    (
        r"\b[45]\.1\.2\b|\b5\.4\.4\b|(domain|host)( name| \S+)? (was )?not found|nxdomain"
        r"|no mx\b|domain does not exist",
        N_("Nobody receives mail for the part after the @."),
    ),
    (
        r"\b[45]\.1\.[36]\b|bad address syntax|malformed address",
        N_("The address is not one that can receive mail."),
    ),
    (
        r"\b[45]\.2\.1\b|(mailbox|account) (is )?(disabled|inactive|suspended)",
        N_("The mailbox is switched off."),
    ),
    (r"\b[45]\.2\.2\b|mailbox (is )?full|over ?quota|quota exceeded", N_("The mailbox is full.")),
    (
        r"\b5\.2\.3\b|\b5\.3\.4\b|too large|(size|limit) exceed|exceeds.{0,40}size",
        N_("The mail is too large for the receiving server."),
    ),
    (
        r"\b5\.7\.2[0-9]\b|\bdmarc\b|\bspf\b|\bdkim\b",
        N_("The receiving server could not make sure that the mail is really from you."),
    ),
    (
        r"\b4\.7\.1\b|greylist|gr[ae]y-list",
        N_("The receiving server asks every new sender to try again later."),
    ),
    (
        r"\bspam\b|block ?list|blacklist|blocked|reputation|\b5\.7\.1\b|\bpolicy\b",
        N_("The receiving server refuses the mail by its rules, perhaps as spam."),
    ),
    (r"\b4\.4\.[12]\b|timed? ?out|no answer within|did not answer", N_("No answer came in time.")),
    (
        r"connection refused|could not (be reached|connect)|unreachable",
        N_("The server could not be reached."),
    ),
    (
        r"name (or service )?not known|name resolution|name not found",
        N_("The server's name could not be found."),
    ),
)
_EXPLAINED = tuple((re.compile(saying, re.IGNORECASE), sentence) for saying, sentence in _SAYINGS)


def explain(words: str) -> str:
    """One sentence of plain language for what a server said (RFC 3463 codes first), or "" when it is not known.

    >>> explain("550 5.1.1 <x@example.com>: user unknown")
    'The receiving server says that this mailbox does not exist.'
    """
    return next((_(sentence) for saying, sentence in _EXPLAINED if saying.search(words)), "")
