"""`python -m tests.sabotage [NAME…]`: takes one defence away at a time, and sees that the test that shows it fails.

A test of an attack that still passes without the defence shows nothing. Each sabotage is done in a process of its own,
by this module as a plugin of pytest; nothing in any file is changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "BITMAIL_TEST_SABOTAGE"
FAILED = 1
"""The exit status of pytest when tests ran and some failed; another means that they could not be run."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """A defence that is taken away.

    Attributes:
        where: module, and in it the function or class and method, or the constant.
        instead: what stands there then.
        test: what has to fail.
    """

    where: str
    instead: Any
    test: str


def gives(value: Any) -> Callable[..., Any]:
    """A function that always gives this."""
    return lambda *_, **__: value


async def passes(*_: Any) -> None:
    """A gate that stands open."""


SABOTAGES = {
    "gate": Sabotage(
        "bitmail.gate:Gate.preprocess",
        passes,
        "bitmail/test_controller.py -k no_handler_works_without_a_session",
    ),
    "events of Reflex": Sabotage(
        "bitmail.gate:refused_events", gives(frozenset()), "bitmail/test_two_people.py -k public_or_guarded"
    ),
    "whose mail": Sabotage(
        "bitmail.mailboxes:Mailboxes._find",
        lambda self, user, id: self._store.get_by_id(id),
        "bitmail/test_two_people.py -k another_persons",
    ),
    "arguments": Sabotage(
        "bitmail.gate:clean", lambda handler, payload: payload, "bitmail/test_wrong_arguments.py"
    ),
    "binding of tokens": Sabotage(
        "bitmail.shield:Shield._bound_token",
        lambda self, token, headers: token,
        "bitmail/test_api.py -k page_token",
    ),
    "origin": Sabotage(
        "bitmail.shield:Shield._is_ours", gives(True), "bitmail/test_shield.py -k page_of_another_site"
    ),
    "headers": Sabotage(
        "bitmail.shield:Shield._hardened",
        lambda self, scope, send: send,
        "bitmail/test_shield.py -k security_headers",
    ),
    "hosts": Sabotage("bitmail.shield:Shield._refusal", gives(None), "bitmail/test_shield.py -k other_host"),
    "slow bodies": Sabotage("bitmail.rates:BODY_PATIENCE", 1e9, "bitmail/test_shield.py -k trickles"),
    "pace": Sabotage(
        "bitmail.rates:Pace.wait_for", gives(0.0), "bitmail/test_shield.py -k pace_when_exceeded"
    ),
    "guesses": Sabotage("bitmail.throttle:Throttle.take", gives(None), "bitmail/test_door.py -k guess"),
    "ended sessions": Sabotage(
        "bitmail.sessions:Sessions.close", gives(None), "bitmail/test_two_people.py -k no_guarded_route"
    ),
    "HTML": Sabotage(
        "bitmail.sanitiser:_image", lambda value, *_: (value, False), "bitmail/test_sanitiser.py"
    ),
    "CSS": Sabotage("bitmail.stylesheets:_is_harmless", gives(True), "bitmail/test_sanitiser.py"),
    "downloads": Sabotage(
        "bitmail.reading:SHOWN_TYPES",
        {"text/html", "image/svg+xml", "image/jpeg"},
        "bitmail/test_reading.py -k kept_not_run",
    ),
    "depth of mail": Sabotage("mta.parsed:DEPTH", 10_000, "mta/test_mime_bombs.py -k depth"),
    "private network": Sabotage(
        "bitmail.unsubscribe:_resolved",
        lambda host, *_: "127.0.0.1",
        "bitmail/test_unsubscribe.py -k private",
    ),
    "one line a field": Sabotage(
        "mta.email:MESSAGE_ID", re.compile(r"(?s:.*)"), "mta/test_mime_compose.py -k adds_no_header"
    ),
    "quota": Sabotage("bitmail.quota:Quota._add", gives(None), "bitmail/test_quota.py"),
    "end of tokens": Sabotage("bitmail.tokens:LONGEST", 1e9, "bitmail/test_api.py -k a_token_expires"),
    "signatures": Sabotage("hmac:compare_digest", gives(True), "mta/test_hooks_mailgun.py -k signature_when"),
    "topics of Amazon": Sabotage("mta.hooks.sns:is_amazons", gives(True), "mta/test_hooks_ses.py"),
    "keys in answers": Sabotage(
        "mta.providers.answers:Secrets.cover", lambda self, text: text, "mta/test_secrets.py"
    ),
}


def apply(name: str) -> None:
    """Do one sabotage in this process."""
    one = SABOTAGES[name]
    module, _, path = one.where.partition(":")
    *owners, last = path.split(".")
    place: Any = import_module(module)
    for owner in owners:
        place = getattr(place, owner)
    assert hasattr(place, last), f"{one.where} is not there any more"
    setattr(place, last, one.instead)


def pytest_configure() -> None:
    if name := os.environ.get(VARIABLE):
        apply(name)


def try_one(name: str) -> subprocess.CompletedProcess[str]:
    """Run the test of a defence that is taken away."""
    file, *selected = SABOTAGES[name].test.split()
    words = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.sabotage", f"tests/{file}", *selected]
    settings = os.environ | {VARIABLE: name}
    return subprocess.run(words, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=300)


def main(names: list[str]) -> int:
    """Try them all; how many tests did not notice."""
    unnoticed = 0
    for name in names or SABOTAGES:
        ended = try_one(name)
        noticed = ended.returncode == FAILED
        unnoticed += not noticed
        print(f"{name:20} {'noticed' if noticed else 'NOT NOTICED'}: {SABOTAGES[name].test}", flush=True)
        if not noticed:
            print(ended.stdout[-1500:], ended.stderr[-1500:])
    return unnoticed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
