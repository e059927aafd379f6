"""The wire form: mails as other programs hand them in, in JSON or as `message/rfc822`."""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mta.addresses import Address, BadAddress, parse_address, parse_recipients
from mta.email import MESSAGE_ID, one_line
from mta.errors import FieldError, Unacceptable
from mta.fields import parameters
from mta.headers import address_field, date_field, fold, text_field
from mta.mime import encode_base64, encode_text
from mta.rawmail import TAKEN_OUT, check_lines, message_id, prepare, with_crlf
from mta.submission import NewSubmission

MOST_RECIPIENTS = 10_000
"""People that one mail may go to."""
SHOWN = 100
"""Characters of a culprit that an error repeats."""

_NAME = re.compile("[!-9;-~]{1,76}")
_ADDRESSES = frozenset(("from", "sender", "reply-to", "to", "cc", "bcc"))
_ONCE = frozenset(
    ("from", "sender", "subject", "date", "message-id", "in-reply-to", "references", "mime-version")
) | frozenset(("content-type", "content-transfer-encoding"))
_PROSE = frozenset(("subject", "comments"))
"""Written as people read them; other fields stand as they are given while they are ASCII."""
_MACHINES = ("content-", "mime-", "list-", "dkim-", "arc-", "authentication-", "received", "resent-")
"""Fields that machines read, and in which no encoded word may stand (RFC 2047 section 5)."""
_MACHINES_ALONE = frozenset(("date", "message-id", "in-reply-to", "references", "auto-submitted"))
_BLANKS = re.compile(r"[ \t]{2,}|\t")
_UNPRINTED = re.compile(r"[^\t -~]")
_WHITE = re.compile(r"[\r\n\t ]")


class WireMail(BaseModel):
    """The body of `POST /sendmail` in JSON.

    Attributes:
        headers: each header's value or values, by its name, as people read them.
        content: the body in base64.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    headers: dict[str, str | list[str]] = Field(alias="Headers", max_length=200)
    content: str = Field(default="", alias="Content")


def read_json(body: bytes, *, key: str, date: datetime) -> NewSubmission:
    """The submission that a mail in JSON means.

    Its Bcc goes to the envelope and nowhere else. A body without Content-Transfer-Encoding is encoded as its
    Content-Type asks for; one with it goes out as it is, so it has to be encoded already.

    Args:
        body: as it came; the same bytes are the same mail.
        key: the idempotency key.
        date: the date, where the mail has none.

    Raises:
        Unacceptable: naming each header at fault.
    """
    try:
        mail = WireMail.model_validate_json(body)
    except ValidationError as error:
        raise Unacceptable(
            *(
                FieldError(".".join(map(str, fault["loc"][:2])) or "body", "", f"{fault['msg']}.")
                for fault in error.errors(include_input=False, include_url=False, include_context=False)
            )
        ) from None
    headers = _Headers(mail.headers)
    content_fields, content = _content(headers, _decoded(mail.content))
    sender, recipients, visible = headers.people()
    lines = list(headers.lines())
    if not headers.has("to") and not headers.has("cc"):
        lines.append("To: undisclosed-recipients:;")
    if not headers.has("date"):
        lines.append(date_field(date))
    if not headers.has("message-id"):
        lines.append(f"Message-ID: {message_id(sender, key)}")
    if not headers.has("mime-version"):
        lines.append("MIME-Version: 1.0")
    raw = "\r\n".join([*lines, *content_fields]).encode() + b"\r\n\r\n" + content
    check_lines(raw)
    return NewSubmission(
        key=key,
        owner="",
        sender=sender.email,
        recipients=_checked(recipients),
        subject=one_line(headers.text("subject")),
        raw=raw,
        needs_envelope=visible > 1 or len(recipients) > 1,
        fingerprint=hashlib.sha256(body).hexdigest(),
    )


def read_rfc822(
    body: bytes, *, sender: str | None, recipients: Sequence[str], key: str, date: datetime
) -> NewSubmission:
    """The submission that a finished mail means; but for its Bcc, which is taken out, it goes out as it is.

    Args:
        body: the mail, with line ends of any kind.
        sender: the envelope sender, "" for none; None for the one in From.
        recipients: the envelope recipients; none for those of To, Cc and Bcc.
        key: the idempotency key.
        date: the date, where the mail has none.

    Raises:
        Unacceptable: naming each header or parameter at fault.
    """
    mail = prepare(body, key=key, date=date)
    people = tuple(_parameter("recipient", text) for text in recipients) or mail.recipients
    envelope = mail.sender.email if sender is None else sender and _parameter("sender", sender).email
    meaning = hashlib.sha256(repr((sender, tuple(recipients))).encode("utf-8", "replace") + body)
    return NewSubmission(
        key=key,
        owner="",
        sender=envelope,
        recipients=_checked(people),
        subject=mail.subject,
        raw=mail.raw,
        needs_envelope=mail.visible > 1 or len(people) > 1,
        fingerprint=meaning.hexdigest(),
    )


def _parameter(name: str, text: str) -> Address:
    try:
        return parse_address(text)
    except BadAddress as error:
        raise Unacceptable(FieldError(name, error.value, str(error))) from None


def _checked(people: Sequence[Address]) -> tuple[str, ...]:
    if not people:
        raise Unacceptable(FieldError("To", "", "The mail names nobody to send to, in To, Cc or Bcc."))
    if len(people) > MOST_RECIPIENTS:
        reason = f"{len(people):,} recipients are more than one mail may have: {MOST_RECIPIENTS:,}."
        raise Unacceptable(FieldError("To", "", reason))
    return tuple(address.email for address in people)


class _Headers:
    """The headers of a mail in JSON, checked; names in any case are the same."""

    def __init__(self, given: Mapping[str, str | list[str]]) -> None:
        """
        Raises:
            Unacceptable: one of them cannot stand in a mail.
        """
        self._values: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        errors: list[FieldError] = []
        for name, value in given.items():
            values = [value] if isinstance(value, str) else value
            low = name.lower()
            self._names.setdefault(low, name)
            self._values.setdefault(low, []).extend(one.strip() for one in values)
            if reason := _fault(name, values):
                errors.append(FieldError(_shown(name), _shown(" ".join(values)), reason))
            elif low in _ONCE and len(self._values[low]) != 1:
                errors.append(FieldError(name, "", f"There has to be one {name}."))
        if errors:
            raise Unacceptable(*errors)
        self._people = {low: self._parsed(low) for low in self._values if low in _ADDRESSES}

    def has(self, low: str) -> bool:
        """Whether there is one by this name, in lower case."""
        return bool(self._values.get(low))

    def text(self, low: str) -> str:
        """Its value, or ""."""
        return ", ".join(self._values.get(low, ()))

    def people(self) -> tuple[Address, tuple[Address, ...], int]:
        """The author, every recipient once, and how many of them can be seen."""
        senders = self._people.get("from", ())
        if len(senders) != 1:
            reason = "The mail has to come from one address, in one From header."
            raise Unacceptable(FieldError("From", _shown(self.text("from")), reason))
        visible = {one.key: one for low in ("to", "cc") for one in self._people.get(low, ())}
        hidden = {one.key: one for one in self._people.get("bcc", ()) if one.key not in visible}
        return senders[0], (*visible.values(), *hidden.values()), len(visible)

    def lines(self) -> Iterator[str]:
        """The fields as they go out, without those of the content."""
        for low, values in self._values.items():
            name = self._names[low]
            if low in TAKEN_OUT or low in ("content-type", "content-transfer-encoding"):
                continue
            if low in _ADDRESSES:
                if self._people[low]:
                    yield address_field(name, self._people[low])
                continue
            for value in values:
                yield _line(name, low, value)

    def _parsed(self, low: str) -> tuple[Address, ...]:
        parsed = parse_recipients(self.text(low))
        if parsed.errors:
            name = self._names[low]
            raise Unacceptable(*(FieldError(name, error.value, str(error)) for error in parsed.errors))
        return parsed.addresses


def _fault(name: str, values: Sequence[str]) -> str:
    """What is wrong with a header, or ""."""
    if not _NAME.fullmatch(name):
        return "This is no name of a header: letters, digits and hyphens, at most 76 (RFC 5322, 2.2)."
    low = name.lower()
    for value in values:
        if "\r" in value or "\n" in value:
            return f"{name} has a line end in it, which would begin another header. Leave it out."
        if any(unicodedata.category(one) in ("Cc", "Cs") for one in _UNPRINTED.findall(value)):
            return f"{name} has a control character in it. Leave it out."
        if not value.isascii() and (low.startswith(_MACHINES) or low in _MACHINES_ALONE):
            return f"{name} may have only ASCII in it."
        if low == "message-id" and not MESSAGE_ID.fullmatch(value.strip()):
            return "A Message-ID has the form <something@domain>."
        if low == "date" and not _is_date(value):
            return "A Date has the form Wed, 25 Nov 2026 14:02:07 +0000."
    return ""


def _is_date(value: str) -> bool:
    try:
        parsedate_to_datetime(value[:SHOWN])
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    return True


def _line(name: str, low: str, value: str) -> str:
    if low in _PROSE or not value.isascii():
        return text_field(name, value)
    # Blanks that mean something are not where a line may be folded.
    return f"{name}: {value}" if _BLANKS.search(value) else fold(name, value.split(" "))


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        return base64.b64decode(_WHITE.sub("", content), validate=True)
    except (binascii.Error, ValueError):
        raise Unacceptable(FieldError("Content", _shown(content), "The content is not base64.")) from None


def _content(headers: _Headers, content: bytes) -> tuple[list[str], bytes]:
    """The fields that describe the body, and the body as it goes out."""
    kind = headers.text("content-type")
    encoding = headers.text("content-transfer-encoding").strip().lower()
    if encoding:
        return _encoded(kind, encoding, content)
    main, details = parameters(kind)
    if main.startswith(("multipart/", "message/")):  # RFC 2045 section 6.4: these are never encoded
        content = with_crlf(content)
        encoding = "7bit" if content.isascii() else "8bit"
    elif main.startswith("text/") or not main:
        charset = details.get("charset", "")
        if not main:
            kind, charset = _guessed(content)
        elif not charset and not content.isascii():
            kind, charset = f'{kind}; charset="{_guessed(content)[1]}"', "utf-8"
        if _has_ascii(charset):
            content = with_crlf(content)
            encoding, content = encode_text(content if content.endswith(b"\r\n") else content + b"\r\n")
        else:
            encoding, content = "base64", encode_base64(content)
    else:
        encoding, content = "base64", encode_base64(content)
    return [fold("Content-Type", kind.split(" ")), f"Content-Transfer-Encoding: {encoding}"], content


def _encoded(kind: str, encoding: str, content: bytes) -> tuple[list[str], bytes]:
    """What is encoded already: its word is taken for it, as far as it can go out that way."""
    content = with_crlf(content)
    fault = ""
    if encoding not in ("7bit", "8bit", "quoted-printable", "base64"):
        fault = "Mail goes out as 7bit, 8bit, quoted-printable or base64; leave this header out to have it chosen."
    elif encoding != "8bit" and not content.isascii():
        fault = f"The content is not {encoding}: it is not ASCII. Leave this header out to have it encoded."
    if fault:
        raise Unacceptable(FieldError("Content-Transfer-Encoding", _shown(encoding), fault))
    fields = [fold("Content-Type", kind.split(" "))] if kind else []
    return [*fields, f"Content-Transfer-Encoding: {encoding}"], content


def _guessed(content: bytes) -> tuple[str, str]:
    """The type of a text that came without one, and its charset."""
    if content.isascii():
        return 'text/plain; charset="us-ascii"', "us-ascii"
    try:
        content.decode()
    except UnicodeDecodeError:
        reason = "The content is neither ASCII nor UTF-8. Say in Content-Type what it is."
        raise Unacceptable(FieldError("Content-Type", "", reason)) from None
    return 'text/plain; charset="utf-8"', "utf-8"


def _has_ascii(charset: str) -> bool:
    """Whether line ends and printable ASCII are in this charset what they are in ASCII."""
    try:
        name = codecs.lookup(charset or "us-ascii").name
    except LookupError:
        return False
    return not name.startswith(("utf-16", "utf-32", "utf-7", "cp037", "cp500", "iso2022", "hz"))


def _shown(text: str) -> str:
    return one_line(text[:SHOWN])
