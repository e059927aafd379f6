"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyotp

from bitmail.catalogue import N_, _
from bitmail.digests import digest_of
from bitmail.errors import LogInRefused
from store import Entry, JsonStore

STEP = 30
"""Seconds that a code stands for."""
LATE = 1
"""Steps that a clock may be off, either way."""
RECOVERY_CODES = 10
WRONG_CODE = N_("That code is wrong, or was used before. Wait for the next one, and type that.")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a person needs to set their app up.

    Attributes:
        secret: to type into the app.
        uri: the same as an `otpauth:` address, for a QR code.
    """

    secret: str
    uri: str


class SecondFactor:
    """Of every account, as far as its owner turned it on."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def is_on(self, user: str) -> bool:
        """Whether the account asks for a code."""
        entry = self._find(user)
        return entry is not None and bool(entry.data.get("totp"))

    def begin(self, user: str, address: str) -> Enrolment:
        """Make a secret; it counts once `confirm` was given a code of it."""
        secret = pyotp.random_base32()
        entry = self._existing(user)
        self._store.update_by_id(entry.id, {"totp_offered": secret})
        uri = pyotp.TOTP(secret, interval=STEP).provisioning_uri(name=address, issuer_name="BitMail")
        return Enrolment(secret, uri)

    def confirm(self, user: str, code: str) -> tuple[str, ...]:
        """Turn it on, and return the recovery codes: each opens the account once, and they are shown just now.

        Raises:
            LogInRefused: the code is not one of the secret that `begin` made.
        """
        entry = self._existing(user)
        secret = entry.data.get("totp_offered", "")
        step = self._step(secret, code) if secret else None
        if step is None:
            raise LogInRefused(_(WRONG_CODE))
        codes = tuple(f"{secrets.token_hex(5)}-{secrets.token_hex(5)}" for _ in range(RECOVERY_CODES))
        self._store.update_by_id(
            entry.id,
            {
                "totp": secret,
                "totp_offered": "",
                "totp_step": str(step),
                "recovery": "\n".join(digest_of(recovery) for recovery in codes),
            },
        )
        return codes

    def turn_off(self, user: str) -> None:
        """Ask for no code any more."""
        entry = self._existing(user)
        self._store.update_by_id(entry.id, {"totp": "", "totp_offered": "", "recovery": ""})

    def check(self, user: str, code: str) -> None:
        """Take a code of the app, or a recovery code; each works once.

        Raises:
            LogInRefused: it is neither.
        """
        code = "".join(code.split()).casefold()
        while True:
            entry = self._existing(user)
            used = self._used(entry, code)
            if used is None:
                raise LogInRefused(_(WRONG_CODE))
            before = {key: entry.data.get(key, "") for key in used}
            if self._store.update_by_id(entry.id, used, expecting=before):
                return

    def _used(self, entry: Entry, code: str) -> dict[str, str] | None:
        """What to write down so that the code does not work again; None when it does not work now."""
        step = self._step(entry.data.get("totp", ""), code)
        if step is not None:
            return {"totp_step": str(step)} if step > int(entry.data.get("totp_step") or 0) else None
        kept = entry.data.get("recovery", "").split()
        spent = digest_of(code)
        return {"recovery": "\n".join(hash for hash in kept if hash != spent)} if spent in kept else None

    def _step(self, secret: str, code: str) -> int | None:
        """The time step that a code belongs to, if it is about now."""
        if not secret or not code.isascii() or not code.isdecimal():
            return None
        app, now = pyotp.TOTP(secret, interval=STEP), int(self._clock() // STEP)
        for step in range(now - LATE, now + LATE + 1):
            if hmac.compare_digest(app.generate_otp(step), code):
                return step
        return None

    def _find(self, user: str) -> Entry | None:
        found = self._store.get({"kind": "account", "name": user}, limit=1)
        return found[0] if found else None

    def _existing(self, user: str) -> Entry:
        entry = self._find(user)
        if entry is None:
            raise LogInRefused(_("There is no account “{user}” here.", user=user))
        return entry
