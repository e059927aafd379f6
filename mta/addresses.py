"""Addresses: from what people type or paste to what stands on the wire."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

import idna

from mta.errors import MtaError
from mta.pieces import QUOTED, Kind, Piece, split_addresses, unquoted

LOCAL_OCTETS = 64
LABEL_OCTETS = 63
DOMAIN_OCTETS = 255
ADDRESS_OCTETS = 254
"""RFC 5321 section 4.5.3.1; 254 is what its limit of a path leaves for the address."""
NAME_CHARACTERS = 256
SHOWN_CHARACTERS = 200
"""How much of a culprit an error repeats."""
ERRORS_SHOWN = 1000
"""After so many errors a field is read no further: it is no list of recipients."""

_LETTERS = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
ATEXT = rf"[{_LETTERS}\u0080-\U0010ffff]"
DOT_ATOM = re.compile(rf"{ATEXT}+(?:\.{ATEXT}+)*")
PHRASE = re.compile(rf"{ATEXT}+(?: {ATEXT}+)*")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
DOT = re.compile("[。．｡]")
"""What IDNA takes for a dot (RFC 3490 section 3.1)."""
_WORD = f"[{_LETTERS}]+"
_LABEL = "(?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
USUAL = re.compile(
    rf"(?:({_WORD}(?: {_WORD})*) ?<)?({_WORD}(?:\.{_WORD})*)@((?:[A-Za-z0-9]{_LABEL}\.)*[A-Za-z]{_LABEL})(?(1)>)"
)
"""An address as nearly all are: ASCII and nothing quoted, with a name or without, in a domain that is no number."""
USUAL_SEPARATOR = re.compile("[;,\r\n]")
JOINERS = str.maketrans("", "", "\u200c\u200d")
"""Allowed in names of domains where IDNA 2008 says so, though they cannot be seen."""


class BadAddress(MtaError):
    """Something that stands where an address should and is none.

    Attributes:
        value: the culprit as it was typed, without what cannot be shown, shortened when long.
        reason: what is wrong with it, in words for the person who typed it.
    """

    def __init__(self, value: str, reason: str) -> None:
        self.value = _shown(value)
        self.reason = reason
        super().__init__(f"{self.value}: {reason}")


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox; whatever holds an `Address` holds a valid one.

    Attributes:
        name: the display name, one line, or "".
        local: the part before the @, without quotation marks, in Unicode's form NFC (RFC 6532 section 3.1).
        domain: the part after the @ as A-labels of IDNA 2008, in lower case.
        email: `local@domain`, the local part in quotation marks where it needs them.

    Raises:
        BadAddress: when a part breaks a rule of RFC 5321 or 6531.
    """

    name: str
    local: str
    domain: str
    email: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        given = f"{self.local}@{self.domain}"
        object.__setattr__(self, "name", _checked_name(self.name, given))
        object.__setattr__(self, "local", _checked_local(self.local, given))
        object.__setattr__(self, "domain", _checked_domain(self.domain, given))
        local = self.local if DOT_ATOM.fullmatch(self.local) else _quoted(self.local)
        object.__setattr__(self, "email", f"{local}@{self.domain}")
        if len(self.email.encode()) > ADDRESS_OCTETS:
            raise BadAddress(given, f"the address is longer than {ADDRESS_OCTETS} characters")

    @classmethod
    def usual(cls, text: str) -> Address | None:
        """The address that stands there as nearly all are written; None when it has to be looked at closely."""
        match = USUAL.fullmatch(text)
        if match is None:
            return None
        name, local, domain = match[1] or "", match[2], match[3].lower()
        is_long = len(local) > LOCAL_OCTETS or len(local) + 1 + len(domain) > ADDRESS_OCTETS
        if is_long or "xn--" in domain or len(name) > NAME_CHARACTERS:
            return None
        # Nothing is left to be checked, which would take ten times as long.
        address = object.__new__(cls)
        email = f"{local}@{domain}"
        for part, value in (("name", name), ("local", local), ("domain", domain), ("email", email)):
            object.__setattr__(address, part, value)
        return address

    @property
    def key(self) -> str:
        """The same for all ways to write the same mailbox, as far as a person means the same by them."""
        return self.email.casefold()

    @property
    def header(self) -> str:
        """`Name <local@domain>` as people read and type it; `parse_address` gives the same address back."""
        if not self.name:
            return self.email
        name = self.name if PHRASE.fullmatch(self.name) else _quoted(self.name)
        return f"{name} <{self.email}>"

    @property
    def ascii_local(self) -> bool:
        """False when only a provider that can SMTPUTF8 is able to send to it."""
        return self.local.isascii()


@dataclass(frozen=True, slots=True)
class Recipients:
    """What a field of recipients holds, in the order typed: the addresses, each once, and what is none."""

    addresses: tuple[Address, ...]
    errors: tuple[BadAddress, ...]


def parse_address(text: str) -> Address:
    """Read one address, `local@domain` or `Name <local@domain>`.

    Raises:
        BadAddress: with the reason, when the text is not one address.
    """
    pieces = list(split_addresses(text))
    if not pieces:
        raise BadAddress(text, "an address is missing")
    if len(pieces) > 1:
        raise BadAddress(text, "one address is expected here, and these are several")
    return _parse(pieces[0])


def parse_recipients(text: str) -> Recipients:
    """Read a field of recipients, in time proportional to its length.

    Semicolons, commas and line ends part the addresses, outside quotation marks, angle brackets and comments;
    blanks do so after a complete address. Empty places between separators are nothing. One bad address spoils
    no other. Reading stops at the thousandth error.
    """
    if (usual := _usual(text)) is not None:
        return Recipients(tuple(usual.values()), ())
    found: dict[str, Address] = {}
    errors: list[BadAddress] = []
    for piece in split_addresses(text):
        try:
            address = _parse(piece)
        except BadAddress as error:
            errors.append(error)
            if len(errors) == ERRORS_SHOWN:
                break
        else:
            found.setdefault(address.key, address)
    return Recipients(tuple(found.values()), tuple(errors))


def _usual(text: str) -> dict[str, Address] | None:
    """The addresses, by their keys, of a field in which all are written as nearly all are; None when one is not."""
    found: dict[str, Address] = {}
    for part in USUAL_SEPARATOR.split(text):
        if part := part.strip(" \t"):
            address = Address.usual(part)
            if address is None:
                return None
            found.setdefault(address.key, address)
    return found


def _parse(piece: Piece) -> Address:
    if any(token.has_open_quote for token in piece.tokens):
        raise BadAddress(piece.text, "a quotation mark is not closed")
    if not piece.specification:
        raise BadAddress(piece.text, _missing_specification(piece))
    try:
        return Address(piece.name, *halves(piece.specification))
    except BadAddress as error:
        raise BadAddress(piece.text, error.reason) from None


def _missing_specification(piece: Piece) -> str:
    if any(token.kind is Kind.ANGLE for token in piece.tokens):
        return "the address between < and > is missing"
    if any(token.has_at for token in piece.tokens):
        return "after a name the address stands in angle brackets, Name <name@example.com>"
    return "the @ is missing"


def halves(specification: str) -> tuple[str, str]:
    """The parts before and after the @, the quotation marks around the first taken off.

    Raises:
        BadAddress: when there is not one before and one after an @.
    """
    _refuse_invisible(specification.translate(JOINERS), "the address", specification)
    quoted = QUOTED.match(specification)
    if quoted and specification.startswith("@", quoted.end()):
        return unquoted(quoted[0]), specification[quoted.end() + 1 :]
    local, at, domain = specification.rpartition("@")
    if not at:
        raise BadAddress(specification, "the @ is missing")
    if "@" in local:
        raise BadAddress(specification, "there is more than one @")
    if local and not DOT_ATOM.fullmatch(local):
        if ".." in local:
            raise BadAddress(specification, "the part before the @ has two dots in a row")
        if local.startswith(".") or local.endswith("."):
            raise BadAddress(specification, "the part before the @ begins or ends with a dot")
        odd = next(
            character for character in local if character != "." and not re.fullmatch(ATEXT, character)
        )
        raise BadAddress(
            specification, f"the part before the @ has a character that cannot stand there: {odd}"
        )
    return local, domain


def _checked_name(name: str, given: str) -> str:
    if not name:
        return ""
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character != "\t":
            raise BadAddress(given, f"the name has a control character in it ({_code(character)})")
    if len(name) > NAME_CHARACTERS:
        raise BadAddress(given, f"the name is longer than {NAME_CHARACTERS} characters")
    return " ".join(name.split())


def _checked_local(local: str, given: str) -> str:
    if not local:
        raise BadAddress(given, "the part before the @ is missing")
    _refuse_invisible(local, "the part before the @", given)
    local = unicodedata.normalize("NFC", local)
    if len(local.encode()) > LOCAL_OCTETS:
        raise BadAddress(given, f"the part before the @ is longer than {LOCAL_OCTETS} characters")
    return local


def _checked_domain(domain: str, given: str) -> str:
    part = "the part after the @"
    if not domain:
        raise BadAddress(given, f"{part} is missing")
    if domain.startswith("["):
        raise BadAddress(given, f"{part} is an IP address; a domain name is needed")
    _refuse_invisible(domain.translate(JOINERS), part, given)
    if len(domain) > DOMAIN_OCTETS:
        raise BadAddress(given, f"{part} is longer than {DOMAIN_OCTETS} characters")
    name = DOT.sub(".", domain).lower()
    if name.startswith(".") or name.endswith("."):
        raise BadAddress(given, f"{part} begins or ends with a dot")
    if ".." in name:
        raise BadAddress(given, f"{part} has two dots in a row")
    if not name.isascii() or "xn--" in name:
        name = _to_a_labels(name, part, given)
    labels = name.split(".")
    for label in labels:
        if not LABEL.fullmatch(label):
            raise BadAddress(given, _label_fault(label, part))
        if len(label) > LABEL_OCTETS:
            raise BadAddress(
                given, f"{part} has a name longer than {LABEL_OCTETS} characters between its dots"
            )
    if len(name) > DOMAIN_OCTETS:
        raise BadAddress(given, f"{part} is longer than {DOMAIN_OCTETS} characters")
    if labels[-1].isdigit():
        raise BadAddress(given, f"{part} is an IP address; a domain name is needed")
    return name


def _to_a_labels(name: str, part: str, given: str) -> str:
    """By IDNA 2008, with the mapping of capital and wide letters that people expect (RFC 5895)."""
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        raise BadAddress(given, f"{part} is not a valid international domain name") from None


def _label_fault(label: str, part: str) -> str:
    odd = next((character for character in label if not re.fullmatch("[a-z0-9-]", character)), None)
    if odd is None:
        return f"{part} has a name that begins or ends with a hyphen"
    return f"{part} has a character that no domain name has: {odd}"


def _refuse_invisible(text: str, part: str, given: str) -> None:
    if not text.isprintable():
        odd = next(character for character in text if not character.isprintable())
        raise BadAddress(given, f"{part} has a character in it that cannot be seen ({_code(odd)})")


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _shown(text: str) -> str:
    """What a person can be shown of a culprit: blanks for line ends, nothing for other control characters."""
    short = text[: SHOWN_CHARACTERS + 1]
    visible = "".join(
        " " if character in "\t\r\n\u0085\u2028\u2029" else character
        for character in short
        if character in "\t\r\n\u0085\u2028\u2029" or unicodedata.category(character) not in ("Cc", "Cs")
    ).strip()
    if text and not visible:
        return _code(text[0])
    return visible if len(text) <= SHOWN_CHARACTERS else visible[:SHOWN_CHARACTERS] + "…"
