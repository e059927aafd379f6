"""The same mail through each provider arrives as the same mail; what differs by a provider's nature is listed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from mta.addresses import parse_address
from mta.email import Attachment, one_line
from mta.fields import decode_words, read_head
from mta.outcomes import Outcome
from mta.parsed import Mailbox, ParsedMail, parse
from mta.providers.base import ProviderOptions
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from tests.fakes.smtp import FakeRelay
from tests.mta.corpus import CORPUS
from tests.mta.services import KINDS, Kind, outgoing, talking

WHOLE = ("mailgun", "smtp")
"""They hand on the octets as they are."""
ONLY_MIME = {
    "empty file": "an empty file",
    "signature": "a signature",
    "encryption": "encryption",
    "report": "the form of a report",
    "DKIM signature of its own": "a DKIM signature",
}
"""What SendGrid cannot carry, and what it says to it."""
NOT_OURS = frozenset(["received", "mime-version", "content-type", "content-transfer-encoding", "date"])


@dataclass(frozen=True, slots=True)
class Seen:
    """A mail as its reader sees it, and its other fields."""

    mail: ParsedMail
    files: tuple[tuple[str, str, bytes, str], ...]
    fields: tuple[tuple[str, str], ...]


def seen(raw: bytes) -> Seen:
    mail = parse(raw)
    files = tuple((file.name, file.type, content_of(file), file.content_id) for file in mail.attachments)
    known = {"from", "to", "cc", "subject", "reply-to", "message-id", "in-reply-to", "references"}
    fields = [
        (field.name, one_line(decode_words(field.value)))
        for field in read_head(raw).fields
        if field.name not in known | NOT_OURS
    ]
    return Seen(replace(mail, attachments=(), date=None), files, tuple(sorted(fields)))


def content_of(file: Attachment) -> bytes:
    """The octets; of a mail in a mail what is read in it, since SES has to get that in 7 bits too, and of an
    invitation its lines, since it is text to SendGrid, whose line ends are not its own.
    """
    if file.type == "text/calendar":
        return b"\n".join(file.content.splitlines())
    return repr(seen(file.content)).encode() if file.name.endswith(".eml") else file.content


def only_one_recipient(before: Seen, recipient: str) -> Seen:
    """The request has no place for other visible people."""
    everyone = [*before.mail.to, *before.mail.cc]
    name = next((box.name for box in everyone if box.address and box.address.email == recipient), "")
    return replace(before, mail=replace(before.mail, to=(Mailbox(name, recipient),), cc=(), to_label=""))


def never_empty(before: Seen, _: str) -> Seen:
    """A mail without subject or text is refused."""
    mail = before.mail
    text = mail.text if mail.text.strip() or mail.html else " "
    return replace(before, mail=replace(mail, subject=mail.subject or "(no subject)", text=text))


def once(before: Seen, _: str) -> Seen:
    """Fields are an object of JSON, in which a name stands once."""
    first = dict(reversed(before.fields))
    return replace(before, fields=tuple(sorted(first.items())))


def inner_mails_renamed(before: Seen, _: str) -> Seen:
    """The library that the fake composes with takes no octets for a mail in a mail, so the fake renames its type."""
    files = tuple(
        (name, kind.replace("message/", "application/x-was-message-"), *more)
        for name, kind, *more in before.files
    )
    return replace(before, files=files)  # type: ignore[arg-type]


def far_local_part_as_a_name(before: Seen, _: str) -> Seen:
    """SES takes no letters beyond ASCII before an @: the address stays to be read, and cannot be written to."""
    cc = tuple(box for box in before.mail.cc if box.email.isascii())
    return replace(before, mail=replace(before.mail, cc=cc))


def answers_joined(before: Seen, _: str) -> Seen:
    """SES wants one field Reply-To, so all its addresses stand in one."""
    if len(before.mail.reply_to) == 1 and before.mail.reply_to[0].email == "a@example.com":
        both = (*before.mail.reply_to, Mailbox("", "b@example.com"))
        return replace(before, mail=replace(before.mail, reply_to=both))
    return before


Difference = Callable[[Seen, str], Seen]
DIFFERENCES: dict[str, tuple[Difference, ...]] = {
    "smtp": (),
    "mailgun": (),
    "ses": (far_local_part_as_a_name, answers_joined),
    "sendgrid": (only_one_recipient, never_empty, once, inner_mails_renamed),
}


def recipient_of(raw: bytes) -> str:
    boxes = [box.address for box in parse(raw).to]
    return next((address.email for address in boxes if address), "bob@example.com")


def compare(name: str, provider: str, after: bytes) -> None:
    raw = CORPUS[name]
    if provider in WHOLE:
        assert after == raw
        return
    expected = seen(raw)
    for difference in DIFFERENCES[provider]:
        expected = difference(expected, recipient_of(raw))
    got = seen(after)
    assert got.mail.subject == expected.mail.subject
    assert got.files == expected.files
    assert got.fields == expected.fields
    assert replace(got.mail, text="", snippet="") == replace(expected.mail, text="", snippet="")
    assert got.mail.text == expected.mail.text


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_mail_when_sent_by_a_service_then_the_same_arrives(kind: Kind) -> None:
    with talking(kind) as (provider, fake):
        for name, raw in CORPUS.items():
            answer = provider.send(outgoing(raw, recipient_of(raw)))
            if kind.name == "sendgrid" and name in ONLY_MIME:
                assert (answer.outcome, answer.try_other) == (Outcome.REJECTED_MESSAGE, True), name
                assert ONLY_MIME[name] in answer.detail
                continue
            assert answer.outcome is Outcome.ACCEPTED, (name, answer)
            taken = fake.accepted[-1]
            assert taken.to == recipient_of(raw)
            assert b"eve@example.com" not in taken.raw or name == "mail in a mail"
            try:
                compare(name, kind.name, taken.raw)
            except AssertionError as error:
                raise AssertionError(
                    f"{name}: {error}\n{taken.raw[:3000].decode(errors='replace')}"
                ) from error
    assert len(fake.accepted) == len(CORPUS) - (len(ONLY_MIME) if kind.name == "sendgrid" else 0)


def test_mail_when_sent_by_smtp_then_the_same_arrives() -> None:
    with FakeRelay() as relay:
        provider = SMTP("smtp", Relay("127.0.0.1", relay.port, tls=Tls.NONE), ProviderOptions())
        for name, raw in CORPUS.items():
            assert provider.send(outgoing(raw, recipient_of(raw))).outcome is Outcome.ACCEPTED, name
            compare(name, "smtp", relay.accepted[-1].content)
        provider.close()
    assert len(relay.accepted) == len(CORPUS) >= 40


def test_mail_when_in_7_bits_already_then_ses_gets_it_to_the_byte() -> None:
    from mta.providers.ses_mail import mail_as_ses_wants_it

    changed = {name for name, raw in CORPUS.items() if mail_as_ses_wants_it(raw) != raw}
    assert changed == {name for name in CORPUS if name.startswith(("8 bits", "fields twice", "local part"))}


def test_addresses_of_the_corpus_are_valid() -> None:
    assert all(parse_address(recipient_of(raw)) for raw in CORPUS.values())
