"""Attachments: kept with the draft, within the limit as mail carries them, and sent as they came."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy

import pytest

from bitmail.attachments import LIMIT, check_total, encoded_size
from bitmail.drafts import Draft, new_key
from bitmail.errors import Unsendable
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from tests.bitmail.conftest import PASSWORD

MB = 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, 2, 3, 56, 57, 58, 76, 1000, 4321])
def test_the_encoded_size_is_that_of_base64_in_lines_of_76(size: int) -> None:
    assert encoded_size(size) == len(base64.encodebytes(b"x" * size).replace(b"\n", b"\r\n"))


def test_a_file_that_base64_makes_too_large_is_refused_by_name_size_and_limit() -> None:
    with pytest.raises(Unsendable) as refused:
        check_total([("film.mp4", 19 * MB)])
    (error,) = refused.value.errors
    assert (error.field, error.value) == ("attachments", "film.mp4")
    assert "19.0 MB" in error.reason
    assert "25.0 MB fit" in error.reason


def test_the_limit_is_on_all_files_together() -> None:
    check_total([("a", 9 * MB), ("b", 9 * MB)])
    with pytest.raises(Unsendable, match=r"c\.bin") as refused:
        check_total([("a.bin", 10 * MB), ("b.bin", 8 * MB - 10), ("c.bin", 10 * MB)])
    assert refused.value.errors[0].value == "c.bin"


def test_a_file_too_many_leaves_those_that_are_there(service: Service) -> None:
    files = service.model.attachments
    files.add("ada", "key", "a.bin", "", (b"x" * MB for _ in range(17)))
    with pytest.raises(Unsendable, match=r"b\.bin"):
        files.add("ada", "key", "b.bin", "", (b"y" * MB for _ in range(3)))
    assert [(file.name, file.size) for file in files.of("ada", "key")] == [("a.bin", 17 * MB)]
    assert encoded_size(17 * MB) < LIMIT


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\a.txt", "a.txt"),
        ("", "attachment"),
        ("..", "attachment"),
        ("a\r\nBcc: x@example.com.txt", "a Bcc: x@example.com.txt"),
        ("a\0\ud800.txt", "a\ufffd.txt"),
        ("Prüfbericht Q1.pdf", "Prüfbericht Q1.pdf"),
    ],
)
def test_of_a_name_the_last_part_is_kept_on_one_line(service: Service, given: str, kept: str) -> None:
    assert service.model.attachments.add("ada", "key", given, "text/plain", [b""]).name == kept


def test_files_belong_to_their_draft_and_its_owner_alone(service: Service) -> None:
    files = service.model.attachments
    file = files.add("ada", "key", "a.txt", "text/plain", [b"file"])
    assert files.of("eve", "key") == files.of("ada", "other") == ()
    assert not files.remove("eve", "key", file.id)
    assert not files.remove("ada", "other", file.id)
    assert files.content("eve", file.id) is None
    found = files.content("ada", file.id)
    assert found is not None
    assert found[1] == b"file"
    assert files.remove("ada", "key", file.id)
    assert files.of("ada", "key") == ()


def test_two_files_of_one_name_an_empty_one_and_none_named_are_all_sent_as_they_came(
    service: Service,
) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    key = new_key()
    given = [
        ("a.jpg", b"one"),
        ("a.jpg", b"two"),
        ("empty.txt", b""),
        ("", b"x"),
        ("Prüfbericht Q1.pdf", b"\0\xff"),
    ]
    for name, content in given:
        service.model.attachments.add("ada", key, name, "application/octet-stream", [content])
    sent = service.model.outbox.send(author, Draft(key, to="grace@example.com", text="x"))
    raw = service.blobs.get(service.store.get_by_id(sent.id).data["blob"])  # type: ignore[union-attr]
    assert raw is not None
    mail = message_from_bytes(raw, policy=policy.default)
    arrived = [(part.get_filename(), part.get_payload(decode=True)) for part in mail.iter_attachments()]  # type: ignore[attr-defined]
    assert arrived == [(name or "attachment", content) for name, content in given]
    assert service.model.attachments.of("ada", key) == ()


def test_a_draft_of_files_alone_is_a_draft(service: Service) -> None:
    service.model.attachments.add("ada", "key", "a.txt", "text/plain", [b"file"])
    service.model.drafts.touch("ada", "key")
    service.model.drafts.touch("ada", "key")
    assert len(service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails) == 1
