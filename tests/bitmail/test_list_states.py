"""The list's handlers: what a person does with mails, and what a stranger with a session of their own may try."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bitmail.drafts import Draft
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from bitmail.state.arrival import ArrivalState
from bitmail.state.delivery import DeliveryState
from bitmail.state.keys import KeysState
from bitmail.state.mailbox import MailboxState
from bitmail.state.selection import SelectionState
from bitmail.state.session import SessionState
from bitmail.view import View, number
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD
from tests.bitmail.test_controller import OFFERED, Call, browser, merged

Told = dict[str, Any]


def file(service: Service, count: int, user: str = "ada") -> list[int]:
    for position in range(count):
        raw = f"From: g@example.com\r\nSubject: {position}\r\nMessage-ID: <{position}@x>\r\n\r\nx".encode()
        service.model.mailboxes.file(user, str(position), raw, float(position))
    return lying(service, MailboxName.INBOX, user)


def lying(service: Service, place: str, user: str = "ada") -> list[int]:
    return [mail.id for mail in service.model.mailboxes.page(user, place).mails]


def played(
    service: Service, play: Callable[[Call], Awaitable[Any]], path: str = "/inbox", **query: str
) -> Any:
    """What a play gave that was given by a page of ada's with its list open."""
    _, secret = service.model.log_in("ada", PASSWORD)

    async def run() -> Any:
        async with browser(secret, path, **query) as call:
            await call(ArrivalState, "at_list")
            await call(ArrivalState, "at_list")
            return await play(call)

    return asyncio.run(run())


def test_shift_selects_all_rows_between_and_archive_and_undo_take_them_all(service: Service) -> None:
    ids = file(service, 6)

    async def play(call: Call) -> tuple[Told, Told, list[int]]:
        await call(SelectionState, "select", id=ids[1], shift=False)
        selected = merged(await call(SelectionState, "select", id=ids[4], shift=True), SelectionState)
        done = merged(await call(SelectionState, "act", what="archive", id=0), SelectionState)
        archived = lying(service, MailboxName.ARCHIVE)
        await call(SelectionState, "undo")
        await call(SelectionState, "undo")
        return selected, done, archived

    selected, done, archived = played(service, play)
    assert selected["selected"] == ids[1:5]
    assert done["done"] == "4 mails moved to Archive."
    assert (done["can_undo"], done["selected"]) == (True, [])
    assert archived == ids[1:5]
    assert lying(service, MailboxName.INBOX) == ids


def test_a_row_dropped_on_a_folder_goes_there_with_the_selected_ones_if_it_is_one(service: Service) -> None:
    ids = file(service, 4)
    folder = service.model.folders.create("ada", "Work")

    async def play(call: Call) -> None:
        await call(SelectionState, "drop", address=f"http://x/inbox?mail={ids[0]}", to=folder.place)
        await call(SelectionState, "select", id=ids[2], shift=False)
        await call(SelectionState, "select", id=ids[3], shift=False)
        await call(SelectionState, "drop", address=f"http://x/inbox?mail={ids[3]}", to=folder.place)

    played(service, play)
    assert lying(service, folder.place) == [ids[0], ids[2], ids[3]]
    assert lying(service, MailboxName.INBOX) == [ids[1]]


def test_delete_goes_to_trash_and_only_from_the_list_of_trash_for_good(service: Service) -> None:
    ids = file(service, 2)

    async def delete(call: Call) -> Told:
        return merged(await call(SelectionState, "act", what="delete", id=ids[0]), SelectionState)

    played(service, delete)
    assert lying(service, MailboxName.TRASH) == [ids[0]]
    assert "cannot lie" in played(service, delete, "/search", q="0")["done"]
    assert lying(service, MailboxName.TRASH) == [ids[0]], "a search must not delete for good"
    assert played(service, delete, "/trash")["done"] == "1 mail deleted for good."
    assert lying(service, MailboxName.TRASH) == []


def test_a_row_of_conversations_opens_its_conversation_and_is_archived_as_a_whole(service: Service) -> None:
    heads = ("Message-ID: <a@x>", "Message-ID: <b@x>\r\nReferences: <a@x>", "Message-ID: <c@x>")
    for head in heads:
        raw = f"From: g@example.com\r\nTo: ada@localhost\r\nSubject: Plans\r\n{head}\r\n\r\nx".encode()
        service.model.mailboxes.file("ada", head, raw, 1.0)
    alone, second, first = lying(service, MailboxName.INBOX)
    thread = service.model.mailboxes.mail("ada", first).thread

    async def play(call: Call) -> tuple[Told, Told]:
        await call(ArrivalState, "at_list")
        shown = merged(await call(MailboxState, "show", what="conversations"), MailboxState)
        done = merged(await call(SelectionState, "act", what="archive", id=second), SelectionState)
        return shown, done

    shown, done = played(service, play)
    assert [(row.id, row.thread_size) for row in shown["rows"]] == [(alone, ""), (second, "2")]
    assert shown["rows"][1].href == f"/inbox?thread={thread}&mail={second}"
    assert done["done"] == "2 mails moved to Archive."
    assert lying(service, MailboxName.INBOX) == [alone]


def test_a_list_that_was_turned_and_could_not_be_read_is_read_when_its_address_is_asked_for_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = file(service, 3)
    _, secret = service.model.log_in("ada", PASSWORD)
    older = {"before": str(ids[0])}

    async def shown(**query: str) -> Told:
        async with browser(secret, "/inbox", **query) as call:
            return merged(await call(ArrivalState, "at_list"), MailboxState)

    async def run() -> Told:
        assert [row.id for row in (await shown())["rows"]] == ids
        with monkeypatch.context() as broken:
            broken.setattr(service.model.mailboxes, "page", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await shown(**older)
        return await shown(**older)

    assert [row.id for row in asyncio.run(run())["rows"]] == ids[1:]


def test_a_list_says_what_it_shows_and_finds_and_where_it_lies(service: Service) -> None:
    ids = file(service, 3)
    service.model.mailboxes.set_starred("ada", [ids[0]], True)
    service.model.mailboxes.move("ada", [ids[1]], MailboxName.SPAM)
    while service.model.librarian.take_in():
        pass

    _, secret = service.model.log_in("ada", PASSWORD)

    def shown(path: str, **query: str) -> Told:
        async def run() -> Told:
            async with browser(secret, path, **query) as call:
                return merged(await call(ArrivalState, "at_list"), MailboxState)

        return asyncio.run(run())

    starred = shown("/inbox", only="starred")
    assert ([row.id for row in starred["rows"]], starred["shown"]) == ([ids[0]], "Only starred")
    assert starred["rows"][0].href == f"/inbox?only=starred&mail={ids[0]}"
    found = shown("/search", q="from:g")
    assert [(row.id, row.place) for row in found["rows"]] == [
        (ids[0], "Inbox"),
        (ids[1], "Spam"),
        (ids[2], "Inbox"),
    ]
    assert shown("/search", q="absent")["empty"].startswith("Nothing found")
    thread = service.model.mailboxes.mail("ada", ids[1]).thread
    assert [row.id for row in shown("/inbox", thread=thread)["rows"]] == [ids[1]]
    assert shown("/folder", id="12345")["title"] == "No such folder"


def test_a_folder_is_made_renamed_and_removed_from_the_page_and_refusals_are_told(service: Service) -> None:
    async def make(call: Call) -> Told:
        await call(SessionState, "create_folder", form={"name": "Work"})
        return merged(await call(SessionState, "create_folder", form={"name": "work"}), SessionState)

    assert "already" in played(service, make)["folder_problem"]
    (folder,) = service.model.folders.all("ada")

    async def rename(call: Call) -> Told:
        refused = merged(await call(SelectionState, "rename_folder", form={"name": "Trash"}), SelectionState)
        await call(SelectionState, "rename_folder", form={"name": "Play"})
        return refused

    assert "already" in played(service, rename, "/folder", id=str(folder.id))["problem"]
    assert [known.name for known in service.model.folders.all("ada")] == ["Play"]

    async def remove(call: Call) -> None:
        await call(SelectionState, "remove_folder")

    played(service, remove)
    assert service.model.folders.all("ada"), "no folder is shown, so none is removed"
    played(service, remove, "/folder", id=str(folder.id))
    assert not service.model.folders.all("ada")


def test_shortcuts_move_select_star_and_archive(service: Service) -> None:
    ids = file(service, 3)

    async def play(call: Call) -> None:
        for key in ("j", "j", "s", "x", "k", "x", "e"):
            await call(KeysState, "press", key=key)
        for key in ("g", "q", "", "constructor", None):
            await call(KeysState, "press", key=key)

    played(service, play)
    assert lying(service, MailboxName.INBOX) == [ids[2]]
    assert lying(service, MailboxName.ARCHIVE) == ids[:2]
    assert [service.model.mailboxes.mail("ada", id).starred for id in ids] == [False, True, False]


@pytest.mark.parametrize(
    "value", [None, 7, -1, 2**70, True, "x" * 5000, "../x", [], {}, {"name": 1, "q": 2}, [1]]
)
def test_no_handler_of_the_list_breaks_or_touches_anothers_mail_whatever_it_is_given(
    service: Service, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = file(service, 2, "eve")
    service.model.folders.create("eve", "Private")
    while service.model.librarian.take_in():
        pass
    before = service.store.get({"user": "eve"})
    arguments = {
        (MailboxState, "show"): ("what",),
        (MailboxState, "search"): ("form",),
        (MailboxState, "open_thread"): ("id",),
        (SelectionState, "select"): ("id", "shift"),
        (SelectionState, "act"): ("what", "id"),
        (SelectionState, "move"): ("to", "id"),
        (SelectionState, "drop"): ("address", "to"),
        (SelectionState, "rename_folder"): ("form",),
        (SessionState, "create_folder"): ("form",),
        (SessionState, "set_zone"): ("zone",),
        (DeliveryState, "retry"): ("delivery",),
        (DeliveryState, "write_anew"): ("delivery",),
        (KeysState, "press"): ("key",),
    }

    async def play(call: Call) -> None:
        for (state, handler), names in arguments.items():
            assert handler in OFFERED[state]
            await call(state, handler, **dict.fromkeys(names, value))
        for what in ("delete", "archive", "star", "unread"):
            await call(SelectionState, "act", what=what, id=theirs[0])
        await call(SelectionState, "move", to="Trash", id=theirs[0])
        await call(SelectionState, "drop", address=f"/inbox?mail={theirs[0]}", to="Trash")

    played(service, play, mail=str(theirs[0]))
    assert service.store.get({"user": "eve"}) == before
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_what_became_of_a_mail_is_told_as_a_timeline_and_written_anew_for_one_recipient(
    service: Service,
) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    service.container.stop()
    sent = service.model.outbox.send(
        author, Draft("k", to="a@example.com; b@example.com", subject="Plans", text="Wörter")
    )
    second = sent.submission.deliveries[1]

    _, secret = service.model.log_in("ada", PASSWORD)

    async def run() -> tuple[Told, Told]:
        async with browser(secret, "/sent", mail=str(sent.id)) as call:
            waiting = merged(await call(ArrivalState, "at_list"), DeliveryState)
            cancelled = merged(await call(DeliveryState, "cancel"), DeliveryState)
            await call(DeliveryState, "write_anew", delivery=second.id)
            await call(DeliveryState, "write_anew", delivery="another")
            return waiting, cancelled

    waiting, cancelled = asyncio.run(run())
    assert waiting["can_cancel"]
    assert [row.status for row in waiting["deliveries"]] == [Status.QUEUED] * 2
    assert [step.text for step in waiting["deliveries"][0].steps] == [
        "Queued: on disk, and waiting for its turn."
    ]
    assert [row.status for row in cancelled["deliveries"]] == [Status.CANCELLED] * 2
    (draft,) = service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails
    written = service.model.drafts.load("ada", draft.key)
    assert (written.to, written.subject, written.text.strip()) == ("b@example.com", "Plans", "Wörter")


@pytest.mark.parametrize(
    ("path", "query", "place", "href"),
    [
        ("/inbox", {}, "INBOX", "/inbox"),
        ("/sent/", {"before": "12"}, "Sent", "/sent?before=12"),
        ("/folder", {"id": "5", "sort": "oldest"}, "folder-5", "/folder?id=5&sort=oldest"),
        ("/search", {"q": "a b&c"}, "", "/search?q=a+b%26c"),
        ("/inbox", {"thread": "0" * 32}, "", f"/inbox?thread={'0' * 32}"),
        ("/inbox", {"thread": "../x", "before": "x", "only": "nothing", "sort": "1"}, "INBOX", "/inbox"),
        ("/inbox", {"id": "7", "q": "x", "before": "9" * 40}, "INBOX", "/inbox"),
        ("/nowhere", {"only": "files"}, "INBOX", "/inbox?only=files"),
    ],
)
def test_an_address_names_a_list_and_a_list_its_address(
    path: str, query: dict[str, str], place: str, href: str
) -> None:
    view = View.of(path, query)
    assert (view.place, view.href()) == (place, href)


def test_an_id_is_a_number_and_nothing_else_is() -> None:
    assert [
        number(value) for value in ("12", 12, "0", "01", "-1", "1.0", "٣", None, True, 1.5, "9" * 30)
    ] == [
        *(12, 12),
        *[0] * 9,
    ]
