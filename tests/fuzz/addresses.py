"""Addresses as people type and paste them."""

from __future__ import annotations

from contextlib import suppress

from mta.addresses import BadAddress, parse_address, parse_recipients
from mta.headers import address_field
from mta.parsed import read_mailboxes


def one(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape" if data[:1] == b"!" else "replace")
    found = parse_recipients(text)
    assert len({address.key for address in found.addresses}) == len(found.addresses), "somebody twice"
    for address in found.addresses:
        assert not set("\r\n\0") & set(address.email + address.header), "a header could be broken off"
        assert parse_address(address.email).key == address.key, "an address is not its own"
    written = address_field("To", list(found.addresses[:20]))
    assert all(line[:1] in " T" for line in written.split("\r\n") if line), "a field broke off"
    for error in found.errors:
        assert str(error)
    read_mailboxes(text)
    with suppress(BadAddress):
        parse_address(text)
