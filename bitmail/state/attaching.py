"""The files of a mail that is being written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reflex as rx

from bitmail.attachments import LIMIT, Attached, check_total, encoded_size, megabytes
from bitmail.catalogue import _, decimal
from bitmail.current import caller, off_loop, service
from bitmail.drafts import is_key
from bitmail.errors import Unsendable
from bitmail.sessions import Session
from bitmail.state.window import Window

PIECE = 256 * 1024
NAME = 200
"""Characters of a file's name while it is on its way."""


@dataclass
class FileRow:
    """One file of the mail."""

    id: int
    name: str
    size: str
    note: str


class Attaching(Window, mixin=True):
    """Files come, are shown with what they weigh, and go."""

    files: list[FileRow] = []  # noqa: RUF012 - Reflex copies the default for each client
    uploading: list[str] = []  # noqa: RUF012
    percent: int = 0
    weight: str = ""
    _early: list[str] = []  # noqa: RUF012
    """Files that were there before they were announced: the two come by different ways."""
    _unshown: list[str] = []  # noqa: RUF012
    """Files that were announced and may still come, though nobody waits for them."""

    @rx.event
    async def announce(self, files: list[dict[str, Any]]) -> None:
        """Files are about to come: say at once which of them cannot be attached."""
        given = [
            (str(file["name"])[:NAME], file["size"])
            for file in (files if isinstance(files, list) else [])[:1000]
            if isinstance(file, dict) and isinstance(file.get("size"), int) and "name" in file
        ]
        there = await off_loop(service().model.attachments.of, caller().user, self.key)
        self.errors = {name: reason for name, reason in self.errors.items() if name != "attachments"}
        coming = []
        for name, size in given:
            if name in self._early:
                self._early = _without(self._early, name)
            else:
                coming.append((name, size))
        names = [name for name, _ in coming]
        try:
            check_total([*((file.name, file.size) for file in there), *coming])
        except Unsendable as refusal:
            self._unshown = [*self._unshown, *names]
            self._show(refusal.errors)
        else:
            self.uploading, self.percent = [*self.uploading, *names], 0

    @rx.event
    def progress(self, sent: dict[str, Any]) -> None:
        """So much of the files has come."""
        share = sent.get("progress") if isinstance(sent, dict) else None
        if isinstance(share, int | float) and 0 <= share <= 1:
            self.percent = int(100 * share)

    @rx.event
    async def attach(self, files: list[rx.UploadFile], window: str) -> None:
        """Files have come: keep them with the draft."""
        me, model = caller(), service().model
        given = [(file, file.filename or "") for file in files]
        if not is_key(self.key) or window != self.window:
            return
        for _file, name in given:
            name = name[:NAME]
            if name in self.uploading:
                self.uploading = _without(self.uploading, name)
            elif name in self._unshown:
                self._unshown = _without(self._unshown, name)
            else:
                self._early = [*self._early, name]
        try:
            for file, name in given:
                pieces = iter(lambda source=file.file: source.read(PIECE), b"")  # type: ignore[misc]
                kind = file.content_type or ""
                await off_loop(model.attachments.add, me.user, self.key, name, kind, pieces)
        except Unsendable as refusal:
            self._show(refusal.errors)
        await off_loop(model.drafts.touch, me.user, self.key, self.window)
        await self._show_files(me)
        model.changed(me.user)
        service().pages.ask(self.router.session.client_token, type(self).repeat)

    @rx.event
    def repeat(self) -> None:
        """Say again, by the page's connection, what there is and what is on its way: what is said of an upload comes
        with its response, and may have overtaken what was said of the announcement.
        """
        self.uploading, self.files = list(self.uploading), list(self.files)

    @rx.event
    def give_up(self, name: str) -> None:
        """A file that is on its way is not waited for."""
        if name in self.uploading:
            self.uploading, self._unshown = _without(self.uploading, name), [*self._unshown, name]

    @rx.event
    async def detach(self, id: int) -> None:
        """One file is not to go along."""
        me, model = caller(), service().model
        if isinstance(id, int):
            await off_loop(model.attachments.remove, me.user, self.key, id)
            await off_loop(model.drafts.touch, me.user, self.key, self.window)
            self.errors = {name: reason for name, reason in self.errors.items() if name != "attachments"}
            await self._show_files(me)
            model.changed(me.user)

    async def _show_files(self, me: Session) -> None:
        files = await off_loop(service().model.attachments.of, me.user, self.key)
        self.files = [_row(file) for file in files]
        total = sum(encoded_size(file.size) for file in files)
        self.weight = (
            _("{size} of {most} MB", size=decimal(total / 1024 / 1024, "0.0"), most=LIMIT // 1024 // 1024)
            if files
            else ""
        )


def _row(file: Attached) -> FileRow:
    return FileRow(
        file.id, file.name, megabytes(file.size), _("This file is empty.") if not file.size else ""
    )


def _without(names: list[str], name: str) -> list[str]:
    """The names but for this one, once."""
    left = list(names)
    left.remove(name)
    return left
