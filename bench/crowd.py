"""`python -m bench.crowd`: what many people with a page open cost one process, and how soon it answers them."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from bench.figures import Figure, report
from bitmail.service import Service
from bitmail.settings import Settings
from mta.incoming import IncomingMail
from tests.e2e.server import Server
from tests.e2e.wire import Wire

PEOPLE = 500
MAILS = 60
"""Of each person: a full page, and more."""
SECONDS = 20.0
PACE = 50.0
"""Events a second of all together: each person does something every ten seconds."""
OPEN = "reflex___state____state.reflex___state____on_load_internal_state.on_load_internal"
LAST = "is_hydrated_rx_state_"


@dataclass
class Person:
    """Somebody with a page open."""

    wire: Wire
    mails: Sequence[int]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.crowd")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bitmail-") as name:
        known = fill(Path(name), arguments.people)
        server = Server(Path(name))
        server.start()
        try:
            report(measure(server, known, arguments.seconds))
        finally:
            server.stop()


def fill(var: Path, people: int) -> list[tuple[str, list[int]]]:
    """Make accounts with mail, and a session of each; the secrets of the sessions, and the ids of the mails."""
    service = Service(Settings(_env_file=None, var=var))  # type: ignore[call-arg]
    known = []
    try:
        for number in range(people):
            name = f"person{number}"
            service.model.accounts.create(name, f"the password of {name}")
            secret = service.model.sessions.open(name)
            raw = f"From: Grace <grace@example.com>\nTo: {name}@localhost\nSubject: Notes\n\nSome words.\n".encode()
            service.model.receive(IncomingMail(name, "grace@example.com", f"{name}@localhost", raw, 1.79e9))
            (first,) = service.store.get({"user": name, "mailbox": "INBOX"}, limit=1)
            more = [dict(first.data) | {"arrival": str(n), "indexed": "1"} for n in range(1, MAILS)]
            known.append((secret, list(service.store.put_many(more))))
    finally:
        service.stop()
    return known


def measure(server: Server, known: Sequence[tuple[str, list[int]]], seconds: float) -> list[Figure]:
    """Everybody opens Inbox, then now and then a mail."""
    warm = Person(Wire(server.url, known[0][0]), known[0][1])
    look(warm, 0)
    before = size(server)
    crowd = [Person(Wire(server.url, secret), mails) for secret, mails in known[1:]]
    for person in crowd:
        look(person, 0)
    grown = size(server) - before
    chance, taken, began = random.Random(1), [], time.monotonic()  # noqa: S311 - not a secret
    for number in range(int(seconds * PACE)):
        time.sleep(max(0.0, began + number / PACE - time.monotonic()))
        person = chance.choice(crowd)
        taken.append(look(person, chance.choice(person.mails)) * 1000)
    after = size(server) - before
    for person in [warm, *crowd]:
        person.wire.close()
    count = len(known)
    return [
        Figure("crowd", f"memory that {count} open pages add", grown / 1024, "MB"),
        Figure("crowd", "memory after they all clicked about", after / 1024, "MB"),
        Figure("crowd", "a mail opened, median", median(taken), "ms"),
        Figure("crowd", "a mail opened, 95 % within", quantiles(taken, n=20)[18], "ms"),
    ]


def look(person: Person, mail: int) -> float:
    """Open Inbox, or a mail of it; seconds until all of it is there."""
    began = time.perf_counter()
    if mail:
        person.wire.send(OPEN, path=f"/inbox?mail={mail}", mail=str(mail))
    else:
        person.wire.send("reflex___state____state.hydrate_and_load", {"hashes": []})
    while (update := person.wire.answer(30)) is not None:
        if any(values.get(LAST) is True for values in (update.get("delta") or {}).values()):
            return time.perf_counter() - began
    raise SystemExit("the server does not answer; its log says why")


def size(server: Server) -> int:
    """KiB of memory that the server uses."""
    lines = Path(f"/proc/{server.process_id}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


if __name__ == "__main__":
    main()
