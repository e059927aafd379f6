"""Erasing: whatever takes the last name from bytes, the bytes go when they are old enough, and no sooner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitmail.service import Service
from store import Blobs, SearchIndex
from store.blobs import GRACE
from tests.bitmail.conftest import PASSWORD, make_service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service whose librarian sleeps."""
    service = make_service(tmp_path)
    yield service
    service.stop()


def delete_account(service: Service) -> str:
    service.model.log_in("ada", PASSWORD)
    service.model.mailboxes.file("ada", "1", b"Subject: s\r\n\r\nbytes of mine", 0.0)
    [entry] = service.store.get({"user": "ada", "mailbox": "INBOX"})
    service.model.departure.delete("ada")
    return entry.data["blob"]


def take_file_away(service: Service) -> str:
    file = service.model.attachments.add("ada", "key", "a.txt", "text/plain", [b"bytes of mine"])
    entry = service.store.get_by_id(file.id)
    assert entry is not None
    assert service.model.attachments.remove("ada", "key", file.id)
    assert not service.model.attachments.remove("ada", "key", file.id), "it was there twice"
    return entry.data["blob"]


@pytest.mark.parametrize("erase", [delete_account, take_file_away])
def test_bytes_when_they_lose_their_last_name_young_then_gone_with_the_hour(
    service: Service, erase: Callable[[Service], str]
) -> None:
    blob = erase(service)
    assert service.blobs.size(blob) is not None, "another entry may be on its way to name them"
    assert "ada" not in repr(service.store.get({"erased": blob}))
    assert not service.store.get({"blob": blob})
    librarian = service.model.librarian
    assert librarian.sweep() == 0
    later = Blobs(service.database, clock=lambda: time.time() + GRACE + 1)
    assert type(librarian)(service.store, later, SearchIndex(service.database)).sweep() == 1
    assert service.blobs.size(blob) is None
    assert not service.store.get({"erased": blob})


def test_bytes_when_somebody_else_has_them_too_then_they_stay(service: Service) -> None:
    service.model.log_in("eve", PASSWORD)
    service.model.mailboxes.file("eve", "1", b"Subject: s\r\n\r\nbytes of mine", 0.0)
    blob = delete_account(service)
    later = Blobs(service.database, clock=lambda: time.time() + GRACE + 1)
    type(service.model.librarian)(service.store, later, SearchIndex(service.database)).sweep()
    assert service.blobs.size(blob) is not None
