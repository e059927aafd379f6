"""Accounts: a name, an address, and a password that only its owner knows."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bitmail.errors import LogInRefused
from store import JsonStore

WRONG = "That name and password do not go together. Check both and try again."
BAD_NAME = "A name is 1 to 64 of a-z, 0-9, dot, dash and underscore, and begins and ends with a letter or digit."
SHORT = "A password has at least 8 characters. Type a longer one."
LONG = "A password has at most 128 characters. Type a shorter one."
RESERVED = frozenset(
    "abuse admin administrator bitmail hostmaster mailer-daemon noc nobody noreply no-reply postmaster root security "
    "webmaster".split()
)
"""Names that others take for the service itself (RFC 2142)."""

_NAME = re.compile(r"(?!.*\.\.)[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_HASHES_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account.

    Attributes:
        name: the canonical name, lower case; also the local part of the address.
        address: `name@domain`.
    """

    name: str
    address: str


class Accounts:
    """Every account of one mail domain. Calls block for as long as a password hash takes: some 50 ms."""

    def __init__(
        self,
        store: JsonStore,
        domain: str,
        *,
        hasher: PasswordHasher | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._domain = domain
        self._hasher = hasher or PasswordHasher()
        self._clock = clock
        # Each hash takes 64 MiB and a core: a crowd at the door must queue rather than fill the memory.
        self._turnstile = threading.BoundedSemaphore(_HASHES_AT_ONCE)

    def log_in(self, name: str, password: str) -> Account:
        """Open the account, or make it when the name is new.

        Args:
            name: as typed: any case, and with or without the domain.
            password: as typed.

        Raises:
            LogInRefused: with a sentence that is the same for a wrong password and for a name that is taken.
        """
        canonical = self._canonical(name)
        if len(password) < 8:
            raise LogInRefused(SHORT)
        if len(password) > 128:
            raise LogInRefused(LONG)
        secret = password.encode("utf-8", "surrogatepass")
        known = self._store.get({"kind": "account", "name": canonical}, limit=1)
        if not known:
            _, created = self._store.put_if_absent(
                {"kind": "account", "name": canonical},
                {
                    "kind": "account",
                    "name": canonical,
                    "password": self._hash(secret),
                    "created": repr(self._clock()),
                },
            )
            if created:
                return self.account(canonical)
            known = self._store.get({"kind": "account", "name": canonical}, limit=1)
        entry = known[0]
        if not self._verify(entry.data["password"], secret):
            raise LogInRefused(WRONG)
        if self._hasher.check_needs_rehash(entry.data["password"]):
            self._store.update_by_id(
                entry.id, {"password": self._hash(secret)}, expecting={"password": entry.data["password"]}
            )
        return self.account(canonical)

    def account(self, name: str) -> Account:
        """The account of a canonical name, whether or not it was made yet."""
        return Account(name, f"{name}@{self._domain}")

    def at(self, address: str) -> Account | None:
        """The account that receives mail for an address, or None."""
        local, _, domain = address.casefold().rpartition("@")
        if domain != self._domain or not self._store.get({"kind": "account", "name": local}, limit=1):
            return None
        return self.account(local)

    def _canonical(self, name: str) -> str:
        canonical = name.strip().casefold().removesuffix(f"@{self._domain}")
        if not _NAME.fullmatch(canonical):
            raise LogInRefused(BAD_NAME)
        if canonical in RESERVED:
            raise LogInRefused(f"The name “{canonical}” is kept for the service. Choose another.")
        return canonical

    def _hash(self, secret: bytes) -> str:
        with self._turnstile:
            return self._hasher.hash(secret)

    def _verify(self, hashed: str, secret: bytes) -> bool:
        with self._turnstile:
            try:
                return self._hasher.verify(hashed, secret)
            except (VerificationError, InvalidHashError):
                return False
