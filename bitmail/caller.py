"""The caller: tells webhooks what became of mail, signed as Standard Webhooks has it (standardwebhooks.com)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import random
import secrets
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpcore

from bitmail.explain import explain
from bitmail.outward import IPAddress, NotOutside, Outward, Resolve, is_public, looked_up
from bitmail.version import version
from bitmail.webhooks import GONE, Webhook, Webhooks
from mta.calls import Call, Calls, Taken, Tried
from mta.outcomes import Status
from store import StoreError

log = logging.getLogger(__name__)

WEBHOOKS_AT_ONCE = 32
TESTS_AT_ONCE = 8
AT_ONCE = 4
"""Calls of one webhook at once."""
SECONDS = 15.0
"""For one call, from the look-up of its name to the end of its answer."""
LONGEST_TURN = 45.0
"""Seconds after which no further call of a turn is begun; with one call more, shorter than the lease."""
ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer that are read, so that its connection can be used again."""
MOST_PATIENCE = 3600.0
"""Seconds that a webhook may ask to be left alone for."""
POLL = 1.0
"""Seconds between two looks when nobody says that there is something."""
CALM = 0.05
"""Seconds in which more may come, to be told together."""
TAKEN, FAILED, GIVEN_UP, SWITCHED_OFF = "taken", "failed", "given up", "switched off"
TEST = "webhook.test"
"""What a test is called, in place of what became of a mail."""
_MEANS = {
    Status.SENT: "{provider} took it.",
    Status.DELIVERED: "It was delivered.",
    Status.DEFERRED: "It was not taken yet, and is tried again.",
    Status.BOUNCED: "It came back.",
    Status.COMPLAINED: "The recipient reported it as spam.",
    Status.FAILED: "Nobody took it.",
    Status.UNCERTAIN: "It may have arrived: no clear answer came.",
    Status.CANCELLED: "It was cancelled, and not sent.",
}

_HAS_REASON = (Status.DEFERRED, Status.BOUNCED, Status.FAILED, Status.UNCERTAIN)
"""What somebody gave a reason for, in words that say more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call.

    Attributes:
        reason: why it was not taken, as a sentence; "" when it was.
        patience: seconds that the webhook asked to be left alone for, or 0.
    """

    reason: str = ""
    patience: float = 0.0


@dataclass(slots=True)
class _Turn:
    """The calls of one webhook that were taken together."""

    webhook: Webhook
    waiting: deque[Call]
    until: float
    heard: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    last: Answer = field(default_factory=Answer)
    """Of those that failed; that the webhook is gone counts more than what it says of other calls."""


class Caller:
    """Calls in a thread of its own, on a loop of its own: no receiver, however slow, keeps anybody else waiting."""

    def __init__(
        self,
        calls: Calls,
        webhooks: Webhooks,
        switched_off: Callable[[Webhook, str], None],
        *,
        to_loopback: bool = False,
        resolve: Resolve = looked_up,
        trust: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
        measure: Callable[[str, int], None] = lambda outcome, calls: None,
    ) -> None:
        """
        Args:
            calls: what is to be told.
            webhooks: to whom.
            switched_off: tells its owner that a webhook is called no more, and why; repeating changes nothing.
            to_loopback: this host itself may be called, also without TLS.
            resolve: finds the addresses of a host and port.
            trust: which certificates are good; those of the open net by default.
            clock: seconds since the epoch.
            measure: told what came of how many calls: `TAKEN`, `FAILED` or `GIVEN_UP`; and each `SWITCHED_OFF` webhook.
        """
        self._measure = measure
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}
        self._tests = asyncio.Semaphore(TESTS_AT_ONCE)
        self._calls = calls
        self._webhooks = webhooks
        self._switched_off = switched_off
        self._clock = clock
        self._chance = random.Random()  # noqa: S311 - spreads tries, and keeps no secret

        def is_here(address: IPAddress) -> bool:
            return to_loopback and address.is_loopback

        self._outward = {
            "https": Outward(lambda address: is_public(address) or is_here(address), resolve),
            "http": Outward(is_here, resolve),
        }
        self._trust = trust
        self._loop = asyncio.new_event_loop()
        self._bell = asyncio.Event()
        self._closing = False
        self._in_trouble = False
        self._thread = threading.Thread(target=self._run, name="caller", daemon=True)

    def start(self) -> None:
        """Begin, with what earlier processes left."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to tell; returns at once, in any thread."""
        if self._thread.is_alive() and not self._closing:
            with suppress(RuntimeError):  # it ended meanwhile
                self._loop.call_soon_threadsafe(self._bell.set)

    async def try_out(self, webhook: Webhook) -> Answer:
        """Call a webhook now with a test, which is about no mail; what it answers changes nothing."""
        if self._closing or not self._thread.is_alive():
            return Answer("It cannot be called now. Try again in a minute.")
        id = f"evt_{secrets.token_hex(16)}"
        body = _encoded({"id": id, "type": TEST, "timestamp": _written(self._clock()), "data": {}})
        future = asyncio.run_coroutine_threadsafe(self._test(webhook, id, body), self._loop)
        return await asyncio.wrap_future(future)

    def stop(self, timeout: float) -> None:
        """Give up the calls in hand, which are made again later, and end within `timeout` seconds."""
        if self._thread.is_alive():
            self._closing = True
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._bell.set)
            self._thread.join(timeout)
        elif not self._loop.is_closed():
            self._loop.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._work())
        for outward in self._outward.values():
            outward.close()

    async def _work(self) -> None:
        turns: set[asyncio.Task[None]] = set()
        while not self._closing:
            self._bell.clear()
            for taken in await self._take(WEBHOOKS_AT_ONCE - len(turns)):
                turn = asyncio.create_task(self._tell(taken))
                turns.add(turn)
                turn.add_done_callback(turns.discard)
                turn.add_done_callback(lambda _: self._bell.set())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), POLL)
                await asyncio.sleep(0 if self._closing else CALM)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        """Connections for this scheme, made when there is somebody to call: reading whom to trust takes a moment."""
        if scheme not in self._pools:
            self._pools[scheme] = httpcore.AsyncConnectionPool(
                ssl_context=self._trust or httpcore.default_ssl_context(),
                max_connections=WEBHOOKS_AT_ONCE * AT_ONCE,
                max_keepalive_connections=WEBHOOKS_AT_ONCE,
                keepalive_expiry=5.0,
                network_backend=self._outward[scheme],
            )
        return self._pools[scheme]

    async def _take(self, most: int) -> list[Taken]:
        if not most:
            return []
        try:
            taken = await asyncio.to_thread(self._calls.take, self._clock(), most)
        except StoreError as error:
            if not self._in_trouble:
                log.warning("the calls of webhooks cannot be read, and are tried again: %s", error)
            self._in_trouble = True
            return []
        self._in_trouble = False
        return taken

    async def _tell(self, taken: Taken) -> None:
        try:
            webhook = await asyncio.to_thread(self._webhooks.find, taken.webhook)
            if webhook is None or webhook.is_off:
                await asyncio.to_thread(self._webhooks.forget, taken.webhook)
                return
            if taken.expired:
                log.warning("%d calls of webhook %d are given up", taken.expired, webhook.id)
                self._measure(GIVEN_UP, taken.expired)
            turn = _Turn(webhook, deque(taken.calls), time.monotonic() + LONGEST_TURN)
            try:
                # One that failed the last time is tried with a single call first.
                await asyncio.gather(*(self._hand(turn) for _ in range(1 if taken.failures else AT_ONCE)))
            finally:
                tried = Tried(taken, tuple(turn.heard), tuple(turn.failed), turn.last.patience)
                await asyncio.to_thread(self._calls.settle, tried, self._clock(), self._chance.random())
                self._measure(TAKEN, len(turn.heard))
                self._measure(FAILED, len(turn.failed))
            await asyncio.to_thread(self._judge, turn)
        except StoreError as error:
            log.warning("what a webhook was told cannot be written down, and is told again: %s", error)
        except Exception:
            log.exception("a webhook could not be called, and is tried again")

    async def _hand(self, turn: _Turn) -> None:
        while turn.waiting and time.monotonic() < turn.until and (turn.heard or not turn.failed):
            call = turn.waiting.popleft()
            answer = await self._call(turn.webhook, call.id, body_of(call))
            if answer.reason:
                turn.failed.append(call.id)
                if turn.last.reason != GONE:
                    turn.last = answer
            else:
                turn.heard.append(call.id)

    async def _test(self, webhook: Webhook, id: str, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(SECONDS), self._tests:
                return await self._call(webhook, id, body)
        except TimeoutError:
            return Answer("Too many tests are being made now. Try again in a minute.")

    async def _call(self, webhook: Webhook, id: str, body: bytes) -> Answer:
        headers = signed(webhook.key, id, int(self._clock()), body)
        headers |= {"Content-Type": "application/json", "User-Agent": f"BitMail/{version()}"}
        try:
            pool = self._pool(webhook.url.partition(":")[0].lower())
            async with (
                asyncio.timeout(SECONDS),
                pool.stream(
                    "POST",
                    webhook.url,
                    headers=list(headers.items()),
                    content=body,
                ) as response,
            ):
                await _read_some(response)
                return _judged(response)
        except NotOutside:
            return Answer("Its name leads to no address in the open net, and others are not called.")
        except (TimeoutError, httpcore.TimeoutException):
            return Answer(f"It did not answer within {SECONDS:g} seconds.")
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
            return Answer(_why(error))
        except Exception:
            log.exception("a call of webhook %d went wrong", webhook.id)
            return Answer("It could not be called.")

    def _judge(self, turn: _Turn) -> None:
        """Note on the webhook how it is."""
        reason = turn.last.reason
        if turn.heard and reason != GONE:
            self._webhooks.mended(turn.webhook)
        elif turn.failed and (self._webhooks.failed(turn.webhook, reason) or reason == GONE):
            log.info("webhook %d is switched off", turn.webhook.id, extra={"account": turn.webhook.user})
            self._switched_off(turn.webhook, reason)
            self._webhooks.switch_off(turn.webhook, reason)
            self._measure(SWITCHED_OFF, 1)


def body_of(call: Call) -> bytes:
    """What a webhook is told: JSON, the same bytes at every try."""
    change = call.change
    said = (explain(change.detail) or change.detail) if change.status in _HAS_REASON else ""
    told = {
        "id": call.id,
        "type": f"delivery.{change.status}",
        "timestamp": _written(change.at),
        "data": {
            "submission": change.submission_id,
            "delivery": change.delivery_id,
            "recipient": change.recipient,
            "status": change.status,
            "provider": change.provider,
            "words": said or _MEANS[change.status].format(provider=change.provider or "A provider"),
        },
    }
    return _encoded(told)


def _encoded(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def signed(key: bytes, id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers that prove who calls.

    Args:
        key: the webhook's own.
        id: of what it is told.
        at: seconds since the epoch.
        body: the raw bytes.
    """
    digest = hmac.digest(key, f"{id}.{at}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


async def _read_some(response: httpcore.Response) -> None:
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > ANSWER_LIMIT:
            return


def _judged(response: httpcore.Response) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer()
    if status == 410:
        return Answer(GONE)
    more = " Redirects are not followed." if 300 <= status < 400 else ""
    answer = Answer(f"It answered {status}.{more}")
    wait = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
    if status in (429, 503) and wait.isdigit():
        return replace(answer, patience=min(float(wait[:9]), MOST_PATIENCE))
    return answer


def _why(error: BaseException) -> str:
    words = str(error)
    if "certificate" in words.lower():
        return "Its certificate is not to be trusted; it may have run out, or be for another name."
    if isinstance(error, httpcore.ConnectError):
        return "It could not be connected to; its name or port may be wrong, or it is down."
    return "It closed the connection without an answer of HTTP."
