"""What the sending tier says in English, in the language of who reads it.

That tier knows no languages, and what it says lies in the spool as it was said. So a sentence of it is known again by
its form; one that is not known is shown as it stands.
"""

from __future__ import annotations

import re
from functools import cache

from bitmail.catalogue import N_, Language, _, spoken

ADDRESSES = (
    N_("an address is missing"),
    N_("one address is expected here, and these are several"),
    N_("a quotation mark is not closed"),
    N_("the address between < and > is missing"),
    N_("after a name the address stands in angle brackets, Name <name@example.com>"),
    N_("the @ is missing"),
    N_("there is more than one @"),
    N_("the part before the @ is missing"),
    N_("the part before the @ has two dots in a row"),
    N_("the part before the @ begins or ends with a dot"),
    N_("the part before the @ has a character that cannot stand there: {character}"),
    N_("the part before the @ is longer than {most} characters"),
    N_("the part after the @ is missing"),
    N_("the part after the @ is an IP address; a domain name is needed"),
    N_("the part after the @ begins or ends with a dot"),
    N_("the part after the @ has two dots in a row"),
    N_("the part after the @ is longer than {most} characters"),
    N_("the part after the @ has a name longer than {most} characters between its dots"),
    N_("the part after the @ has a name that begins or ends with a hyphen"),
    N_("the part after the @ has a character that no domain name has: {character}"),
    N_("the part after the @ is not a valid international domain name"),
    N_("the part before the @ has a character in it that cannot be seen ({code})"),
    N_("the part after the @ has a character in it that cannot be seen ({code})"),
    N_("the address has a character in it that cannot be seen ({code})"),
    N_("the name has a control character in it ({code})"),
    N_("the name is longer than {most} characters"),
    N_("the address is longer than {most} characters"),
)
"""What `mta.addresses` finds wrong in an address."""
NOTICES = (
    N_(
        "Your mail “{subject}” to {recipient} was sent by {provider}. "
        "An earlier attempt was unclear, so it may arrive twice."
    ),
    N_(
        "Your mail to {recipient} was sent by {provider}. An earlier attempt was unclear, so it may arrive twice."
    ),
    N_("Your mail “{subject}” to {recipient} was sent by {provider}."),
    N_("Your mail to {recipient} was sent by {provider}."),
    N_("Your mail “{subject}” to {recipient} has to wait; it will be tried again. {reason}"),
    N_("Your mail to {recipient} has to wait; it will be tried again. {reason}"),
    N_("Your mail “{subject}” to {recipient} could not be sent yet; it will be tried again. {reason}"),
    N_("Your mail to {recipient} could not be sent yet; it will be tried again. {reason}"),
    N_("Your mail “{subject}” to {recipient} could not be sent. {reason}"),
    N_("Your mail to {recipient} could not be sent. {reason}"),
    N_("It is not certain whether your mail “{subject}” to {recipient} was sent. {reason}"),
    N_("It is not certain whether your mail to {recipient} was sent. {reason}"),
    N_("It stays unknown whether your mail “{subject}” to {recipient} was sent. {reason}"),
    N_("It stays unknown whether your mail to {recipient} was sent. {reason}"),
)
"""What `mta.verdict` tells an author."""
CERTAIN = (
    N_("It is certain now: your mail “{subject}” to {recipient} was sent."),
    N_("It is certain now: your mail to {recipient} was sent."),
    N_("It is certain now: your mail “{subject}” to {recipient} was delivered."),
    N_("It is certain now: your mail to {recipient} was delivered."),
    N_("Your mail “{subject}” to {recipient} came back. {reason}"),
    N_("Your mail to {recipient} came back. {reason}"),
    N_("Your mail “{subject}” to {recipient} could not be delivered. {reason}"),
    N_("Your mail to {recipient} could not be delivered. {reason}"),
    N_(
        "Your mail “{subject}” to {recipient} was reported as spam there. Do not write to that address again."
    ),
    N_("Your mail to {recipient} was reported as spam there. Do not write to that address again."),
)
"""What `mta.reports` does."""
DETAILS = (
    N_("No provider can take it at the moment."),
    N_("It was tried until its time was over. {reason}"),
    N_("The service stopped during this attempt, so it may have been accepted."),
    N_("No answer within {seconds} seconds."),
    N_("The mail could not be filed in the mailbox."),
    N_("There is no mailbox {recipient} here."),
)
"""Why a delivery came to nothing, where it is ours to say; what others say stays as they said it."""
STEERING = (
    N_("There is no scheduler “{name}”: take {those}."),
    N_("There is no provider “{name}”: there is {those}."),
    N_(
        "“{weight}” is no weight: take a whole number from 1 to {most}, or {configured}. "
        "To send nothing by {provider}, take it out."
    ),
)
"""Why `mta.steering` does not do what an operator asks."""


def retold(text: str) -> str:
    """A sentence of the sending tier in the language that counts, or as it stands when it is not known.

    Args:
        text: the sentence in English.
    """
    if spoken() is Language.ENGLISH:
        return text
    for form, pattern in _forms():
        if found := pattern.fullmatch(text):
            values = {
                name: retold(value) if name == "reason" else value
                for name, value in found.groupdict().items()
            }
            return _(form, **values)
    return text


def pattern_of(form: str) -> re.Pattern[str]:
    """What recognises a text that was made of this form; a group for each name in braces."""
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(form)), re.DOTALL)


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((form, pattern_of(form)) for form in (*ADDRESSES, *NOTICES, *CERTAIN, *DETAILS, *STEERING))
