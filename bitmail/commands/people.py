"""`users`, `invite`, `reset-password`, `lock`, `unlock`: who may come in."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from bitmail import routes
from bitmail.audit import Action
from bitmail.commands.base import Command, Output, moment, opened
from bitmail.invitations import DAYS, Invitations
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus

PAGE = 500


def users(_: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """List every account."""
    rows: list[dict[str, object]] = []
    with opened(settings) as service:
        before: int | None = None
        while found := service.model.accounts.overview(before, PAGE):
            rows += [
                {
                    "name": one.name,
                    "address": one.address,
                    "state": one.state,
                    "created": moment(one.created),
                }
                for one in found
            ]
            before = found[-1].id
    out.table(rows, ("name", "address", "state", "created"), "There is no account yet.")
    return ExitStatus.OK


def invite(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Make an invitation, and show its code: now and never again."""
    with opened(settings) as service:
        code = Invitations(service.store).make(arguments.days)
        service.model.audit.record("", Action.INVITED, detail="command line")
    origin = next(iter(settings.allowed_origins()), f"http://{settings.host}:{settings.port}")
    link = origin + routes.way_in(invitation=code)
    out.value(
        {"code": code, "link": link, "days": arguments.days}, f"Good for {arguments.days:g} days:", link
    )
    return ExitStatus.OK


def reset_password(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Give an account a new password, and end its sessions."""
    with opened(settings) as service:
        model = service.model
        name = model.accounts.canonical(arguments.name)
        new = model.accounts.reset_password(name)
        model.sessions.end_all(name)
        model.audit.record(name, Action.PASSWORD_RESET, detail="command line")
        service.container.announce(name)
    out.value(
        {"name": name, "password": new},
        f"The new password of {name} is {new}",
        "Every browser of theirs is logged out, and a second factor is off. Have them change it in Settings.",
    )
    return ExitStatus.OK


def lock(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Close an account to everyone; its mail stays."""
    return _lock(arguments.name, settings, out, is_locked=True)


def unlock(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Open an account again."""
    return _lock(arguments.name, settings, out, is_locked=False)


def _lock(name: str, settings: Settings, out: Output, *, is_locked: bool) -> ExitStatus:
    with opened(settings) as service:
        name = service.model.accounts.canonical(name)
        service.model.lock(name, by="command line", is_locked=is_locked)
    state = "locked" if is_locked else "open"
    out.value({"name": name, "state": state}, f"The account {name} is {state}.")
    return ExitStatus.OK


def _days(parser: ArgumentParser) -> None:
    parser.add_argument("--days", type=float, default=DAYS, help=f"days that it is good for ({DAYS:g})")


def _name(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the account")


COMMANDS = (
    Command("users", "list the accounts", users),
    Command("invite", "make an invitation", invite, _days),
    Command("reset-password", "give an account a new password", reset_password, _name),
    Command("lock", "close an account to everyone, and end its sessions", lock, _name),
    Command("unlock", "open a locked account again", unlock, _name),
)
