"""The door: how a person comes in, and what stands in the way of who only guesses.

Wrong guesses are counted for the network address they come from, and for the account. A browser that was let in
before carries a mark of it, and is counted on its own: so nobody can lock an account's owner out by guessing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from bitmail.accounts import Account, Accounts, SignUp
from bitmail.audit import Action, Audit
from bitmail.catalogue import N_, _
from bitmail.errors import CodeNeeded, LogInRefused, TooMany
from bitmail.invitations import Invitations
from bitmail.passwords import check_new
from bitmail.secondfactor import SecondFactor
from bitmail.sessions import Sessions
from bitmail.throttle import Allowance, Bucket, Throttle
from store import JsonStore

PER_ADDRESS = Allowance(free=50)
"""Wrong guesses from one network address."""
PER_ACCOUNT = Allowance(free=10, most=60.0)
"""Wrong guesses at one account by browsers that it does not know. The wait stays short: an owner with a new browser
meets it too."""
PER_DEVICE = Allowance(free=10)
"""Wrong guesses by one browser that was let in before."""
PER_CODE = Allowance(free=5, wait=5.0)
"""Wrong codes of the second factor; only who has the password gets so far."""
NEW_ACCOUNTS = Allowance(free=50, wait=60.0, most=3600.0)
"""Accounts made from one network address."""
TICKET = 300.0
"""Seconds between the password and the code."""
OPERATOR = N_(
    "An operator's account is made by an invitation. Run python -m bitmail invite on the server, "
    "and open the address that it prints."
)
EXPIRED = N_("That took too long. Log in again.")


@dataclass(frozen=True, slots=True)
class Client:
    """Who knocks.

    Attributes:
        address: network address, or "" when unknown.
        agent: what the browser calls itself.
        device: the mark of a browser that was let in before, or "".
        invitation: the code of an invitation, or "".
        zone: the IANA time zone of the browser, or "" when unknown.
    """

    address: str = ""
    agent: str = ""
    device: str = ""
    invitation: str = ""
    zone: str = ""


class Knock(StrEnum):
    """What came of somebody's trying to come in."""

    LET_IN = "let in"
    REFUSED = "refused"
    """A wrong password or code."""
    THROTTLED = "throttled"
    """Tried too often; nothing was looked at."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Who was let in.

    Attributes:
        account: theirs.
        secret: of the new session, for the browser alone.
        device: the mark by which this browser is known next time.
    """

    account: Account
    secret: str
    device: str


class Door:
    """Every log-in goes through here. Each call may block."""

    def __init__(
        self,
        store: JsonStore,
        accounts: Accounts,
        sessions: Sessions,
        *,
        secret: bytes,
        sign_up: SignUp = SignUp.FIRST_LOG_IN,
        operators: Collection[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            store: where tries are counted.
            accounts, sessions: whose door this is.
            secret: signs what browsers bring back; the same in every process.
            sign_up: how an account comes to be.
            operators: names whose accounts are made by an invitation in any case, since they may do everything.
            clock: seconds since the epoch.
        """
        self._accounts = accounts
        self._sessions = sessions
        self._secret = secret
        self._sign_up = sign_up
        self._operators = frozenset(operators)
        self._clock = clock
        self._throttle = Throttle(store, clock=clock)
        self._second = SecondFactor(store, clock=clock)
        self._invitations = Invitations(store, clock=clock)
        self._audit = Audit(store, clock=clock)
        self._heard: list[Callable[[Knock, Client], None]] = []

    def listen(self, listener: Callable[[Knock, Client], None]) -> None:
        """Have `listener` called, in any thread, whenever somebody tried to come in."""
        self._heard.append(listener)

    def enter(self, name: str, password: str, client: Client, code: str = "") -> Entered:
        """Let in who knows the password, and the code where one is asked for.

        Args:
            name, password: as typed.
            client: who knocks.
            code: of the second factor, or "" to be asked for it.

        Raises:
            LogInRefused: with a sentence for the person; `TooMany` among them.
            CodeNeeded: the code is missing.
        """
        canonical = self._accounts.canonical(name)
        known = self._nonce(client.device, canonical)
        opened = self._admit(canonical, client, known, lambda name: self._open(name, password, client))
        if self._second.is_on(canonical):
            if not code:
                raise CodeNeeded(self._signed("ticket", canonical, repr(self._clock() + TICKET)))
            self._check_code(canonical, code, client)
        return self._let_in(opened, client, known)

    def admit(self, name: str, client: Client, open: Callable[[str], Account]) -> Account:
        """Let in for this time only who proves himself, without a session; tries that fail count as guesses.

        Args:
            name: as typed.
            client: who knocks.
            open: gives the account of a canonical name to who may have it, and raises `LogInRefused` otherwise.

        Raises:
            LogInRefused: with a sentence for the person; `TooMany` among them.
            CodeNeeded: as `open` does; that is no guess.
        """
        account = self._admit(self._accounts.canonical(name), client, "", open)
        self._tell(Knock.LET_IN, client)
        return account

    def _admit(self, name: str, client: Client, known: str, open: Callable[[str], Account]) -> Account:
        address = Bucket(f"address {network(client.address)}", PER_ADDRESS)
        account = Bucket(
            f"device {known}" if known else f"account {name}", PER_DEVICE if known else PER_ACCOUNT
        )
        self._take(address, client)
        self._take(account, client)
        try:
            opened = open(name)
        except LogInRefused:
            self._audit_refusal(name, client)
            raise
        self._throttle.give_back(address)
        self._throttle.forget(account)
        return opened

    def enter_code(self, ticket: str, code: str, client: Client) -> Entered:
        """Let in who gave the password a moment ago.

        Args:
            ticket: of `CodeNeeded`.
            code: as typed.
            client: who knocks.

        Raises:
            LogInRefused: with a sentence.
        """
        words = self._unsigned("ticket", ticket)
        if words is None or float(words[1]) < self._clock():
            raise LogInRefused(_(EXPIRED))
        name = words[0]
        self._check_code(name, code, client)
        return self._let_in(self._accounts.account(name), client, self._nonce(client.device, name))

    def check_password(self, user: str, password: str, client: Client) -> None:
        """Make sure that who is logged in still knows the password; guesses are counted as at the door.

        Raises:
            LogInRefused: with a sentence.
        """
        bucket = Bucket(f"password {user}", PER_DEVICE)
        self._take(bucket, client)
        try:
            self._accounts.check_password(user, password)
        except LogInRefused:
            self._audit_refusal(user, client)
            raise
        self._throttle.forget(bucket)

    def _open(self, name: str, password: str, client: Client) -> Account:
        """The account, made if it may be."""
        if self._accounts.exists(name) or self._sign_up is SignUp.CLOSED:
            return self._accounts.log_in(name, password, may_create=False)
        check_new(password, name)
        is_operator = name in self._operators
        is_invited = self._sign_up is SignUp.INVITE or is_operator
        if is_invited and not self._invitations.use(client.invitation, name):
            if is_operator:
                raise LogInRefused(_(OPERATOR))
            return self._accounts.log_in(name, password, may_create=False)
        account = None
        try:
            self._throttle.take(Bucket(f"new {network(client.address)}", NEW_ACCOUNTS))
            account = self._accounts.create(name, password)
        finally:
            if account is None and is_invited:
                self._invitations.give_back(client.invitation, name)
        if account is None:
            return self._accounts.log_in(name, password, may_create=False)
        self._audit.record(name, Action.CREATED, address=client.address, detail=client.agent)
        return account

    def _check_code(self, name: str, code: str, client: Client) -> None:
        bucket = Bucket(f"code {name}", PER_CODE)
        self._take(bucket, client)
        try:
            self._second.check(name, code)
        except LogInRefused:
            self._audit_refusal(name, client)
            raise
        self._throttle.forget(bucket)

    def _let_in(self, account: Account, client: Client, known: str) -> Entered:
        secret = self._sessions.open(
            account.name, address=client.address, agent=client.agent, zone=client.zone
        )
        self._audit.record(account.name, Action.LOGGED_IN, address=client.address, detail=client.agent)
        self._tell(Knock.LET_IN, client)
        nonce = known or secrets.token_urlsafe(12)
        return Entered(account, secret, self._signed("device", account.name, nonce))

    def _take(self, bucket: Bucket, client: Client) -> None:
        try:
            self._throttle.take(bucket)
        except TooMany:
            self._tell(Knock.THROTTLED, client)
            raise

    def _tell(self, knock: Knock, client: Client) -> None:
        for listener in self._heard:
            listener(knock, client)

    def _audit_refusal(self, name: str, client: Client) -> None:
        self._tell(Knock.REFUSED, client)
        if self._accounts.exists(name):
            self._audit.record(name, Action.REFUSED, address=client.address, detail=client.agent)

    def _nonce(self, device: str, name: str) -> str:
        """What tells this browser from others, if it was let in to this account before; else ""."""
        words = self._unsigned("device", device)
        return words[1] if words is not None and words[0] == name else ""

    def _signed(self, purpose: str, *words: str) -> str:
        text = json.dumps(words).encode()
        return base64.urlsafe_b64encode(self._signature(purpose, text) + text).decode()

    def _unsigned(self, purpose: str, value: str) -> list[str] | None:
        try:
            raw = base64.b64decode(value.encode("ascii"), b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        signature, text = raw[:32], raw[32:]
        if not hmac.compare_digest(signature, self._signature(purpose, text)):
            return None
        return [str(word) for word in json.loads(text)]

    def _signature(self, purpose: str, text: bytes) -> bytes:
        return hmac.digest(self._secret, purpose.encode() + b"\0" + text, hashlib.sha256)


def network(address: str) -> str:
    """What is counted together: an IPv4 address, or the /64 that one IPv6 customer has at least."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
