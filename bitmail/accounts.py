"""Accounts: a name, an address, and a password that only its owner knows."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bitmail.catalogue import N_, _
from bitmail.errors import LogInRefused
from bitmail.passwords import Passwords, check_length, check_new
from store import Entry, JsonStore

WRONG = N_("That name and password do not go together. Check both and try again.")
BAD_NAME = N_(
    "A name is 1 to 64 of a-z, 0-9, dot, dash and underscore, and begins and ends with a letter or digit."
)
WRONG_NOW = N_("That is not your password of now. Type it again.")
LOCKED = N_("This account is locked. Ask the operator of this server.")
RESERVED = frozenset(
    (
        "abuse",
        "admin",
        "administrator",
        "bitmail",
        "hostmaster",
        "mailer-daemon",
        "noc",
        "nobody",
        "noreply",
        "no-reply",
        "postmaster",
        "root",
        "security",
        "webmaster",
    )
)
"""Names that others take for the service itself (RFC 2142)."""
_NAME = re.compile(r"(?!.*\.\.)[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


class SignUp(StrEnum):
    """How an account comes to be."""

    FIRST_LOG_IN = "first-login"
    INVITE = "invite"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account.

    Attributes:
        name: the canonical name, lower case; also the local part of the address.
        address: `name@domain`.
    """

    name: str
    address: str


class AccountState(StrEnum):
    """Whether somebody may use an account."""

    OPEN = "open"
    LOCKED = "locked"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """An account as an operator sees it.

    Attributes:
        id: what to give as `before` to go on behind it.
        name: its name.
        address: `name@domain`.
        created: seconds since the epoch.
        state: whether somebody may use it.
    """

    id: int
    name: str
    address: str
    created: float
    state: AccountState


class Accounts:
    """Every account of one mail domain. Calls that take a password block for as long as its hash takes: some 50 ms."""

    def __init__(
        self,
        store: JsonStore,
        domain: str,
        *,
        passwords: Passwords | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._domain = domain
        self._passwords = passwords or Passwords()
        self._clock = clock

    def log_in(self, name: str, password: str, *, may_create: bool = True) -> Account:
        """Open the account, or make it when the name is new.

        Args:
            name: as typed: any case, and with or without the domain.
            password: as typed.
            may_create: whether a new name makes an account.

        Raises:
            LogInRefused: with a sentence that is the same for a wrong password and for a name that is taken; and
                after the same time, where accounts are not made by logging in.
        """
        canonical = self.canonical(name)
        check_length(password)
        entry = self._find(canonical)
        if entry is None and may_create:
            account = self.create(canonical, password)
            if account is not None:
                return account
            entry = self._find(canonical)
        if not self._passwords.is_right(entry.data["password"] if entry else None, password) or entry is None:
            raise LogInRefused(_(WRONG))
        if entry.data.get("locked"):
            raise LogInRefused(_(LOCKED))
        if self._passwords.is_outdated(entry.data["password"]):
            self._store.update_by_id(
                entry.id,
                {"password": self._passwords.hashed(password)},
                expecting={"password": entry.data["password"]},
            )
        return self.account(canonical)

    def create(self, name: str, password: str) -> Account | None:
        """Make an account; None when the name was taken.

        Raises:
            LogInRefused: the name or the password will not do.
        """
        canonical = self.canonical(name)
        check_new(password, canonical)
        _, created = self._store.put_if_absent(
            {"kind": "account", "name": canonical},
            {
                "kind": "account",
                "name": canonical,
                "password": self._passwords.hashed(password),
                "created": repr(self._clock()),
            },
        )
        return self.account(canonical) if created else None

    def check_password(self, name: str, password: str) -> None:
        """
        Raises:
            LogInRefused: this is not the password of the account.
        """
        entry = self._find(name)
        if not self._passwords.is_right(entry.data["password"] if entry else None, password):
            raise LogInRefused(_(WRONG_NOW))

    def change_password(self, name: str, new: str) -> None:
        """Give the account another password.

        Raises:
            LogInRefused: it will not do, or there is no such account.
        """
        check_new(new, name)
        self._store.update_by_id(self._existing(name).id, {"password": self._passwords.hashed(new)})

    def reset_password(self, name: str) -> str:
        """Give the account a new password, for its operator to hand over; also takes a second factor off.

        Returns:
            The password: 100 random bits.

        Raises:
            LogInRefused: there is no such account.
        """
        entry = self._existing(name)
        new = "-".join(secrets.token_hex(4) for _ in range(4))
        changes = {"password": self._passwords.hashed(new), "totp": "", "recovery": ""}
        self._store.update_by_id(entry.id, changes)
        return new

    def lock(self, name: str, *, is_locked: bool = True) -> None:
        """Close the account to everyone, or open it again; its mail stays, and still arrives.

        Raises:
            LogInRefused: there is no such account.
        """
        self._store.update_by_id(self._existing(name).id, {"locked": "1" if is_locked else ""})

    def close(self, name: str) -> None:
        """Delete the account for good, and keep its name: nobody can log in by it, have it or get mail by it again.

        Raises:
            LogInRefused: there is no such account.
        """
        changes = {"closed": "1", "password": "", "totp": "", "totp_offered": "", "recovery": ""}
        self._store.update_by_id(self._existing(name).id, changes)

    def account(self, name: str) -> Account:
        """The account of a canonical name, whether or not it was made yet."""
        return Account(name, f"{name}@{self._domain}")

    def exists(self, name: str) -> bool:
        """Whether there is an account of this canonical name."""
        return self._find(name) is not None

    def is_open(self, name: str) -> bool:
        """Whether there is an account of this canonical name that may be used."""
        entry = self._find(name)
        return entry is not None and _state(entry) is AccountState.OPEN

    def at(self, address: str) -> Account | None:
        """The account that receives mail for an address, or None."""
        local, _, domain = address.casefold().rpartition("@")
        entry = self._find(local) if domain == self._domain else None
        return None if entry is None or entry.data.get("closed") else self.account(local)

    def page(self, before: int | None = None, limit: int = 100) -> list[tuple[int, Account]]:
        """Accounts in the order they were made, with what to give as `before` to go on after each."""
        found = self._store.get({"kind": "account"}, limit=limit, before=before)
        return [(entry.id, self.account(entry.data["name"])) for entry in found]

    def overview(self, before: int | None = None, limit: int = 100) -> list[AccountOverview]:
        """Accounts as an operator sees them, in the order they were made."""
        return [
            AccountOverview(
                entry.id,
                entry.data["name"],
                self.account(entry.data["name"]).address,
                float(entry.data.get("created", "0")),
                _state(entry),
            )
            for entry in self._store.get({"kind": "account"}, limit=limit, before=before)
        ]

    def canonical(self, name: str) -> str:
        """The name as it is kept: lower case, without blanks around it and without the domain.

        Raises:
            LogInRefused: nobody can be called so here.
        """
        canonical = name.strip().casefold().removesuffix(f"@{self._domain}")
        if not _NAME.fullmatch(canonical):
            raise LogInRefused(_(BAD_NAME))
        if canonical in RESERVED:
            raise LogInRefused(
                _("The name “{canonical}” is kept for the service. Choose another.", canonical=canonical)
            )
        return canonical

    def _find(self, name: str) -> Entry | None:
        found = self._store.get({"kind": "account", "name": name}, limit=1)
        return found[0] if found else None

    def _existing(self, name: str) -> Entry:
        entry = self._find(self.canonical(name))
        if entry is None:
            raise LogInRefused(_("There is no account “{name}” here.", name=name))
        return entry


def _state(entry: Entry) -> AccountState:
    if entry.data.get("closed"):
        return AccountState.DELETED
    return AccountState.LOCKED if entry.data.get("locked") else AccountState.OPEN
