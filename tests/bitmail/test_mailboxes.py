"""Where mail lies, what is marked on it, which of it is shown, and what is deleted for good."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from bitmail.drafts import Draft
from bitmail.errors import NoSuchFolder, NoSuchMail, Refused
from bitmail.mailboxes import COUNTED, LOOKED_THROUGH, PAGE, MailboxName, Only
from bitmail.places import MOST_FOLDERS, Folders
from bitmail.service import Service
from bitmail.threads import Threads
from store import Blobs, Entry, MemoryStore, SearchIndex
from store.blobs import GRACE
from tests.store.steps import steps_of

INBOX, TRASH, ARCHIVE = MailboxName.INBOX, MailboxName.TRASH, MailboxName.ARCHIVE

File = Callable[..., int]


@pytest.fixture
def file(service: Service) -> File:
    """Files a mail with these header fields and gives its id."""

    def filed(user: str = "ada", *, body: str = "", kind: str = "text/plain", **fields: str) -> int:
        head = {"from": "Grace <grace@example.com>", "content_type": f"{kind}; charset=utf-8"} | fields
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in head.items()]
        raw = ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()
        arrival = str(time.monotonic_ns())
        assert service.model.mailboxes.file(user, arrival, raw, time.time())
        return service.store.get({"user": user, "arrival": arrival})[0].id

    return filed


def ids(service: Service, mailbox: str, user: str = "ada", **how: object) -> list[int]:
    page = service.model.mailboxes.page(user, mailbox, **how)  # type: ignore[arg-type]
    return [mail.id for mail in page.mails]


def test_move_when_mails_are_moved_then_they_lie_there_and_put_back_undoes_it(
    service: Service, file: File
) -> None:
    boxes = service.model.mailboxes
    one, two, three = file(), file(), file()
    moved = boxes.move("ada", [one, two], ARCHIVE)
    assert [(move.id, move.origin) for move in moved] == [(one, INBOX), (two, INBOX)]
    assert (ids(service, INBOX), ids(service, ARCHIVE)) == ([three], [two, one])
    boxes.move("ada", [two], TRASH)
    assert boxes.put_back("ada", moved, ARCHIVE) == 1, "what was moved on meanwhile stays"
    assert (ids(service, INBOX), ids(service, TRASH)) == ([three, one], [two])


def test_marks_when_set_then_counted_and_shown_alone(service: Service, file: File) -> None:
    boxes = service.model.mailboxes
    one, two, three = file(), file(), file()
    boxes.set_starred("ada", [one, three], True)
    boxes.set_starred("ada", [three], False)
    boxes.set_unread("ada", [one, two], False)
    boxes.set_unread("ada", [two], True)
    assert ids(service, INBOX, only=Only.STARRED) == [one]
    assert ids(service, INBOX, only=Only.UNREAD) == [three, two]
    assert boxes.unread("ada") == 2
    assert boxes.mail("ada", one).starred


def test_page_when_only_files_are_wanted_then_mails_with_attachments(service: Service, file: File) -> None:
    part = '--b\r\nContent-Disposition: attachment; filename="a.pdf"\r\n\r\nx\r\n--b--\r\n'
    with_file, _ = file(kind="multipart/mixed; boundary=b", body=part), file()
    assert ids(service, INBOX, only=Only.FILES) == [with_file]


def test_page_when_oldest_first_then_pages_go_on_towards_the_newest(service: Service, file: File) -> None:
    all_ids = [file() for _ in range(PAGE + 2)]
    first = service.model.mailboxes.page("ada", INBOX, oldest_first=True)
    second = service.model.mailboxes.page("ada", INBOX, first.older, oldest_first=True)
    assert [mail.id for mail in (*first.mails, *second.mails)] == all_ids
    assert second.older is None


def test_erase_when_a_mail_lies_in_trash_then_entry_words_and_blob_are_gone(
    service: Service, file: File
) -> None:
    boxes, librarian = service.model.mailboxes, service.model.librarian
    kept, doomed = file(subject="kept"), file(subject="Doomed subject", body="doomed text")
    while librarian.take_in():
        pass
    blob = service.store.get_by_id(doomed).data["blob"]  # type: ignore[union-attr]
    assert boxes.erase("ada", [kept, doomed]) == 0, "only what lies in Trash is deleted for good"
    boxes.move("ada", [doomed], TRASH)
    assert boxes.erase("ada", [kept, doomed]) == 1
    assert "oomed" not in repr(service.store.get({}))
    assert boxes.search("ada", "doomed", ZoneInfo("UTC")).mails == ()
    with service.database.read() as connection:
        words = connection.execute(text("SELECT title, body FROM store_search")).all()
    assert "oomed" not in repr(words)
    assert ids(service, TRASH) == []
    with pytest.raises(NoSuchMail):
        boxes.content("ada", doomed)
    assert librarian.sweep() == 0, "the blob came within the hour and stays until the next sweep"
    index = SearchIndex(service.database)
    later = Blobs(service.database, clock=lambda: time.time() + GRACE + 1)
    assert type(librarian)(service.store, later, index).sweep() == 1
    assert service.blobs.get(blob) is None
    assert service.store.get_by_id(doomed) is None
    assert boxes.content("ada", kept).subject == "kept"


def test_erase_when_somebody_else_has_the_same_mail_then_theirs_stays_whole(service: Service) -> None:
    boxes = service.model.mailboxes
    raw = b"From: g@example.com\r\nSubject: both\r\n\r\nx"
    for user in ("ada", "eve"):
        boxes.file(user, "1", raw, 0.0)
    (mine,), (theirs,) = ids(service, INBOX), ids(service, INBOX, "eve")
    boxes.move("ada", [mine], TRASH)
    assert boxes.empty_trash("ada") == 1
    later = Blobs(service.database, clock=lambda: time.time() + GRACE + 1)
    librarian = type(service.model.librarian)(service.store, later, SearchIndex(service.database))
    assert librarian.sweep() == 1
    assert boxes.content("eve", theirs).subject == "both"


def test_empty_trash_when_there_is_more_than_a_page_then_all_goes_and_nothing_else(
    service: Service, file: File
) -> None:
    boxes = service.model.mailboxes
    doomed, kept, foreign = [file() for _ in range(PAGE * 4 + 3)], file(), file("eve")
    boxes.move("ada", doomed, TRASH)
    boxes.move("eve", [foreign], TRASH)
    assert boxes.empty_trash("ada") == len(doomed)
    assert (ids(service, TRASH), ids(service, INBOX), ids(service, TRASH, "eve")) == ([], [kept], [foreign])


def test_nothing_of_another_person_is_touched_whatever_is_asked(service: Service, file: File) -> None:
    boxes, folders = service.model.mailboxes, service.model.folders
    theirs, trashed = file("eve", subject="private"), file("eve")
    boxes.move("eve", [trashed], TRASH)
    folder = folders.create("eve", "Private")
    before = service.store.get({})
    assert boxes.move("ada", [theirs, trashed], ARCHIVE) == []
    assert boxes.erase("ada", [theirs, trashed]) == boxes.empty_trash("ada") == 0
    boxes.set_unread("ada", [theirs], False)
    boxes.set_starred("ada", [theirs], True)
    mine = file()
    with pytest.raises(Refused):
        boxes.move("ada", [mine], folder.place)
    for refused in (
        lambda: folders.rename("ada", folder.id, "Mine"),
        lambda: boxes.remove_folder("ada", folder.id),
    ):
        with pytest.raises(NoSuchFolder):
            refused()
    assert [entry for entry in service.store.get({}) if entry.id != mine] == before
    assert folders.all("ada") == []


def test_move_when_a_mail_cannot_lie_there_then_it_stays(service: Service, file: File) -> None:
    boxes = service.model.mailboxes
    received = file()
    service.model.drafts.save("ada", Draft("k", subject="begun", text="words"))
    (draft,) = ids(service, MailboxName.DRAFTS)
    for id, to in (
        (received, MailboxName.DRAFTS),
        (received, MailboxName.OUTBOX),
        (received, MailboxName.SENT),
        (draft, ARCHIVE),
        (draft, MailboxName.OUTBOX),
    ):
        assert boxes.move("ada", [id], to) == []
    assert boxes.move("ada", [10**9, -1, 2**70], ARCHIVE) == []
    for place in ("gone", "folder-999", "folder-" + "9" * 30, "", "nowhere"):
        with pytest.raises(Refused):
            boxes.move("ada", [received], place)
    moved = boxes.move("ada", [draft], TRASH)
    assert boxes.content("ada", draft).text == "words"
    assert boxes.put_back("ada", moved, TRASH) == 1
    assert service.model.drafts.load("ada", "k").text == "words"


def test_folders_when_made_renamed_and_removed_then_their_mail_is_kept(service: Service, file: File) -> None:
    boxes, folders = service.model.mailboxes, service.model.folders
    one = file()
    work = folders.create("ada", "  Work\n2026 ")
    folders.create("ada", "bills")
    assert [folder.name for folder in folders.all("ada")] == ["bills", "Work 2026"]
    boxes.move("ada", [one], work.place)
    folders.rename("ada", work.id, "WORK 2026")
    folders.rename("ada", work.id, "Old work")
    assert ids(service, work.place) == [one]
    assert folders.folder("ada", work.id).name == "Old work"
    folders.create("ada", "Work 2026")
    assert boxes.remove_folder("ada", work.id) == 1
    assert ids(service, ARCHIVE) == [one]
    with pytest.raises(NoSuchFolder):
        folders.folder("ada", work.id)


@pytest.mark.parametrize("name", ["", " \n", "x" * 61, "inbox", "TRASH", "Taken", "taken"])
def test_a_folder_name_that_is_none_or_taken_is_refused_with_a_sentence(name: str) -> None:
    folders = Folders(MemoryStore())
    folders.create("ada", "Taken")
    with pytest.raises(Refused, match=r"\.$"):
        folders.create("ada", name)
    other = folders.create("ada", "Other")
    with pytest.raises(Refused):
        folders.rename("ada", other.id, name)


def test_folders_when_made_at_once_or_without_end_then_one_a_name_and_a_limit(service: Service) -> None:
    def make(_: int) -> bool:
        try:
            service.model.folders.create("ada", "Same")
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 1
    folders = Folders(MemoryStore())
    for number in range(MOST_FOLDERS):
        folders.create("ada", f"f{number}")
    with pytest.raises(Refused, match="Remove one first"):
        folders.create("ada", "one more")


def test_threads_when_mails_name_each_other_then_one_thread_in_whatever_order_they_come(
    service: Service, file: File
) -> None:
    def mail(name: str, references: str = "", reply: str = "") -> int:
        return file(message_id=f"<{name}@x>", references=references, in_reply_to=reply, subject=name)

    third = mail("c", "<a@x> <b@x>", "<b@x>")
    first = mail("a")
    second = mail("b", reply="<a@x>")
    late = mail("d", reply="<c@x>")
    alone = mail("e")
    boxes = service.model.mailboxes
    threads = {id: boxes.mail("ada", id).thread for id in (first, second, third, late, alone)}
    assert len({threads[id] for id in (first, second, third, late)}) == 1
    assert boxes.sizes("ada", threads.values()) == {threads[first]: 4, threads[alone]: 1}
    boxes.move("ada", [second], ARCHIVE)
    shown = boxes.conversation("ada", threads[first]).mails
    assert [found.id for found in shown] == [late, second, first, third]
    assert boxes.sizes("eve", [threads[first]]) == {threads[first]: 0}


def test_threads_when_a_mail_is_sent_and_answered_then_both_are_one_thread(
    service: Service, file: File
) -> None:
    author = service.model.accounts.log_in("ada", "correct horse battery")
    sent = service.model.outbox.send(author, Draft("k", to="grace@example.com", subject="Hi", text="x"))
    message_id = service.model.mailboxes.content("ada", sent.id).message_id
    answer = file(in_reply_to=message_id, subject="Re: Hi")
    boxes = service.model.mailboxes
    assert boxes.mail("ada", answer).thread == boxes.mail("ada", sent.id).thread != ""


def test_conversations_when_a_thread_has_many_mails_then_its_newest_stands_for_it(
    service: Service, file: File
) -> None:
    first = file(message_id="<a@x>", subject="a")
    alone = file(message_id="<z@x>", subject="z")
    second = file(message_id="<b@x>", references="<a@x>", subject="b")
    boxes = service.model.mailboxes
    boxes.mark_read("ada", second)
    thread = boxes.mail("ada", first).thread
    page, sizes = boxes.conversations("ada", INBOX)
    assert [(mail.id, mail.unread) for mail in page.mails] == [(second, True), (alone, True)]
    assert sizes[thread] == 2
    assert [mail.id for mail in boxes.conversations("ada", INBOX, oldest_first=True)[0].mails] == [
        alone,
        second,
    ]
    assert [mail.id for mail in boxes.conversations("ada", INBOX, only=Only.UNREAD)[0].mails] == [
        alone,
        first,
    ]
    assert boxes.together("ada", INBOX, [second]) == [second, first]
    assert boxes.together("eve", INBOX, [second]) == []
    boxes.move("ada", [second], ARCHIVE)
    assert [mail.id for mail in boxes.conversations("ada", INBOX)[0].mails] == [alone, first]
    assert boxes.together("ada", INBOX, [first]) == [first]


def test_conversations_of_a_large_mailbox_ask_the_store_no_more_than_those_of_a_small(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"user": "ada", "mailbox": "INBOX", "blob": "", "indexed": "1", "date": "1.0"}
    service.store.put_many([row | {"thread": f"{n % 1000}"} for n in range(5000)])
    seen, asked, before = [], [], None
    real = service.store.get

    def counted(*args: Any, **how: Any) -> list[Entry]:
        found = real(*args, **how)
        asked.append(len(found))
        return found

    monkeypatch.setattr(service.store, "get", counted)
    while True:
        page, sizes = service.model.mailboxes.conversations("ada", INBOX, before)
        seen += [mail.thread for mail in page.mails]
        assert all(size == 5 for size in sizes.values())
        assert len(asked) <= LOOKED_THROUGH * (PAGE + 1)
        assert sum(asked) <= LOOKED_THROUGH * PAGE * 7
        asked.clear()
        if page.older is None:
            break
        before = page.older
    assert sorted(seen) == sorted({f"{n}" for n in range(1000)})


def test_counts_when_there_are_very_many_then_they_stop_counting() -> None:
    store = MemoryStore()
    store.put_many([{"user": "ada", "mailbox": "INBOX", "unread": "1", "thread": "t"}] * (COUNTED + 5))
    assert Threads(store).sizes("ada", ["t", "t", ""]) == {"t": COUNTED}


def test_a_page_of_a_large_mailbox_costs_what_one_of_a_small_does(service: Service) -> None:
    boxes = service.model.mailboxes

    def fill(user: str, count: int) -> None:
        row = {"user": user, "mailbox": "INBOX", "blob": "", "indexed": "1", "date": "1.0"}
        marks = [
            {"unread": str(n % 2), "starred": "1" if n % 500 == 0 else "0", "thread": f"{n // 3}"}
            for n in range(count)
        ]
        service.store.put_many([row | mark for mark in marks])

    def look(user: str) -> None:
        page = boxes.page(user, INBOX)
        boxes.page(user, INBOX, page.older)
        boxes.page(user, INBOX, only=Only.UNREAD)
        boxes.page(user, INBOX, only=Only.STARRED)
        boxes.page(user, INBOX, oldest_first=True)
        boxes.unread(user)
        boxes.sizes(user, [mail.thread for mail in page.mails])

    fill("small", 100)
    fill("large", 10_000)
    small, large = (steps_of(service.database, lambda user=user: look(user)) for user in ("small", "large"))
    assert 0 < large <= 2 * small + 5
