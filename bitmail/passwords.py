"""Passwords: which are good enough, and how they are kept."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bitmail.catalogue import N_, _
from bitmail.errors import LogInRefused

SHORTEST, LONGEST = 8, 128
"""Characters of a password (NIST SP 800-63B, section 5.1.1.2)."""
SHORT = N_("A password has at least {shortest} characters. Type a longer one.")
LONG = N_("A password has at most {longest} characters. Type a shorter one.")
COMMON = N_(
    "That password is among the first that anybody would try. Choose one that only you would think of."
)

_FIRST_TRIED = frozenset(Path(__file__).with_name("first-tried.txt").read_text(encoding="utf-8").split())
_HASHES_AT_ONCE = 2


def check_length(password: str) -> None:
    """
    Raises:
        LogInRefused: it is too short or too long to be anybody's password.
    """
    if len(password) < SHORTEST:
        raise LogInRefused(_(SHORT, shortest=SHORTEST))
    if len(password) > LONGEST:
        raise LogInRefused(_(LONG, longest=LONGEST))


def check_new(password: str, name: str) -> None:
    """Refuse what nobody should choose for an account (NIST SP 800-63B asks for such a list, and for no other rules).

    Args:
        password: as typed.
        name: the account's name.

    Raises:
        LogInRefused: with a sentence.
    """
    check_length(password)
    folded = password.casefold()
    own = {name, name * 2, f"{name}123", f"{name}1234", f"bitmail{name}"}
    if folded in _FIRST_TRIED or folded in own or len(set(folded)) < 3:
        raise LogInRefused(_(COMMON))


class Passwords:
    """Hashes and checks by Argon2id; each call takes some 20 ms of a core, and 19 MiB."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        # Of the settings that OWASP holds equally strong the one that it names first. With the most memory (46 MiB, one
        # pass) a log-in took twice as long: half of that went to getting the memory, which no guesser pays for. In two
        # lanes (RFC 9106, section 3.1) it is the same work and memory, and two thirds of the time to wait.
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=2)
        # A crowd at the door must queue rather than fill the memory.
        self._turnstile = threading.BoundedSemaphore(_HASHES_AT_ONCE)

    @cached_property
    def _decoy(self) -> str:
        return self.hashed("nobody has this password")

    def hashed(self, password: str) -> str:
        """What to keep of a password."""
        with self._turnstile:
            return self._hasher.hash(_bytes(password))

    def is_right(self, kept: str | None, password: str) -> bool:
        """Whether this is the password of which `kept` was kept; for None, or "", it takes as long, and is False."""
        hashed = kept or self._decoy
        with self._turnstile:
            try:
                return self._hasher.verify(hashed, _bytes(password)) and bool(kept)
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, kept: str) -> bool:
        """Whether the password should be hashed anew, since the cost was raised."""
        return self._hasher.check_needs_rehash(kept)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
