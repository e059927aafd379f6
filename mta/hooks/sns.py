"""Amazon SNS: JSON signed with a key whose certificate Amazon serves.

A valid signature proves that Amazon sent it, and not that the topic is ours: hence the list of topics.
Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from mta.hooks.call import HookRefused, NotNow, Refusal, member, read_json

HOST = re.compile(r"sns\.[a-z]{2,4}(-[a-z]{2,12}){1,3}-\d{1,2}\.amazonaws\.com(\.cn)?")
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
AGE = 25 * 3600.0
"""Seconds. Amazon repeats a call for as long as the topic's policy says, an hour by default. What it says is signed
and counts once, so that an old call can do no harm; but the ids of old calls are forgotten some time."""
AHEAD = 300.0
"""Seconds by which its clock may be ahead of ours."""
FETCH_SECONDS = 5.0
LARGEST_ANSWER = 64 * 1024
CERTIFICATES_KEPT = 16
KEPT_SECONDS = 86_400.0
"""How long a certificate is used before it is fetched again."""

NOTIFICATION, CONFIRMATION, GOOD_BYE = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    GOOD_BYE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES = {"1": SHA1, "2": SHA256}

Fetch = Callable[[str], bytes]
"""Gets what an https address of Amazon's serves; raises `NotNow` when it does not."""


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A message that Amazon surely sent, from a topic on the list.

    Attributes:
        kind: one of the three types.
        id: the same each time it comes.
        message: what the topic was given.
        region: where its topic is.
        subscribe: for a confirmation, the address that makes it so.
        at: when it was published, in seconds since the epoch.
    """

    kind: str
    id: str
    message: str
    region: str
    subscribe: str
    at: float


def fetch(address: str) -> bytes:
    """Get what an address serves, within a few seconds and without following it elsewhere.

    Raises:
        NotNow: it does not answer as it should.
    """
    try:
        with requests.get(address, timeout=FETCH_SECONDS, allow_redirects=False, stream=True) as answer:
            body: bytes = answer.raw.read(LARGEST_ANSWER + 1, decode_content=True)
    except (requests.RequestException, OSError) as error:
        raise NotNow(f"Amazon does not answer: {type(error).__name__}") from None
    if answer.status_code != 200 or len(body) > LARGEST_ANSWER:
        raise NotNow(f"Amazon answered {answer.status_code} with {len(body)} bytes")
    return body


class Sns:
    """Verifies messages of some topics."""

    def __init__(self, topics: Iterable[str], fetch: Fetch, clock: Callable[[], float]) -> None:
        self._topics = frozenset(topics)
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, tuple[float, RSAPublicKey]] = {}
        self._lock = threading.Lock()
        self._fetching = threading.Lock()

    def read(self, body: bytes) -> SnsMessage:
        """The message in a call.

        Raises:
            HookRefused: it is not to be believed, or its topic is not on the list.
            NotNow: the certificate cannot be fetched.
        """
        call = read_json(body)
        fields = {name: value for name, value in _members(call) if isinstance(value, str)}
        kind = fields.get("Type", "")
        if kind not in _SIGNED or not all(name in fields for name in _SIGNED[kind] if name != "Subject"):
            raise HookRefused(Refusal.MALFORMED)
        # The topic comes first, so that nobody else's messages make us fetch anything.
        if fields["TopicArn"] not in self._topics:
            raise HookRefused(Refusal.UNWANTED)
        self._verify(fields)
        at = _moment(fields["Timestamp"])
        if not -AHEAD <= self._clock() - at <= AGE:
            raise HookRefused(Refusal.STALE)
        subscribe = fields.get("SubscribeURL", "")
        if kind == CONFIRMATION and not is_amazons(subscribe):
            raise HookRefused(Refusal.FORGED)
        region = fields["TopicArn"].split(":")[3]
        return SnsMessage(kind, fields["MessageId"], fields["Message"], region, subscribe, at)

    def confirm(self, address: str) -> None:
        """Confirm a subscription.

        Raises:
            NotNow: Amazon does not answer.
        """
        self._fetch(address)

    def _verify(self, fields: dict[str, str]) -> None:
        signed = "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED[fields["Type"]] if name in fields)
        make_hash = _HASHES.get(fields.get("SignatureVersion", ""))
        address = fields.get("SigningCertURL", "")
        if make_hash is None or not is_amazons(address) or not urlsplit(address).path.endswith(".pem"):
            raise HookRefused(Refusal.FORGED)
        try:
            signature = base64.b64decode(fields.get("Signature", ""), validate=True)
            self._key(address).verify(
                signature, signed.encode("utf-8", "surrogatepass"), PKCS1v15(), make_hash()
            )
        except (binascii.Error, ValueError, InvalidSignature):
            raise HookRefused(Refusal.FORGED) from None

    def _key(self, address: str) -> RSAPublicKey:
        now = self._clock()
        with self._lock:
            kept_at, key = self._keys.get(address, (0.0, None))
        if key is not None and 0 <= now - kept_at < KEPT_SECONDS:
            return key
        # One at a time: whoever knows the name of a topic can make us fetch, and must not keep us busy with it.
        if not self._fetching.acquire(blocking=False):
            raise NotNow("another certificate is being fetched")
        try:
            key = _public_key(self._fetch(address), now)
        finally:
            self._fetching.release()
        with self._lock:
            while len(self._keys) >= CERTIFICATES_KEPT:
                del self._keys[next(iter(self._keys))]
            self._keys[address] = (now, key)
        return key


def is_amazons(address: str) -> bool:
    """Whether an address is one of SNS itself, by https, and nothing but that."""
    try:
        parts = urlsplit(address)
        return parts.scheme == "https" and HOST.fullmatch(parts.netloc) is not None
    except ValueError:
        return False


def _members(call: Any) -> Iterable[tuple[str, Any]]:
    return call.items() if isinstance(call, dict) else ()


def _public_key(pem: bytes, now: float) -> RSAPublicKey:
    """The key of a certificate that is valid now; whom it is for, https and the host have proved."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError:
        raise NotNow("Amazon served something that is no certificate") from None
    moment = datetime.fromtimestamp(now, UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise HookRefused(Refusal.FORGED)
    if not isinstance(key, RSAPublicKey):
        raise HookRefused(Refusal.FORGED)
    return key


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise HookRefused(Refusal.MALFORMED) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def time_of(event: Any, *path: str, otherwise: float) -> float:
    """The time at a path in parsed JSON, in seconds since the epoch."""
    text = member(event, *path)
    try:
        return _moment(text) if isinstance(text, str) else otherwise
    except HookRefused:
        return otherwise
