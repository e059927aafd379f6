"""Mails handed in to `python -m mta` over HTTP, by several connections at once."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.relay import relay

LATENCY = 0.05
"""Seconds that the relay takes, as a provider does; the container sends while it takes mail."""
NOBODY = 1
"""A port at which nobody listens."""
OK = b"HTTP/1.1 202"
HEAD_END = b"\r\n\r\n"


@contextmanager
def container(*, sends: bool = True) -> Iterator[bytes]:
    """Start a container on SQLite; give what begins each request, and stop it at the end.

    Args:
        sends: whether it sends meanwhile, to a relay; otherwise its provider is away, and it keeps what it takes.
    """
    secret = secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory(prefix="handing") as folder, relay(LATENCY) as port:
        environment = {
            **os.environ,
            "BITMAIL_VAR": folder,
            "BITMAIL_DATABASE_URL": f"sqlite:///{folder}/spool.db",
            "BITMAIL_PROVIDERS": f"smtp://127.0.0.1:{port if sends else NOBODY}?tls=none&concurrency=16",
            "BITMAIL_WHEN_DOWN": "wait",
            "BITMAIL_CONTAINER_PORT": "0",
            "BITMAIL_CONTAINER_SECRET": secret,
        }
        words = [sys.executable, "-m", "mta"]
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert process.stdout is not None
            place = process.stdout.readline().split()[5].partition(b"//")[2]
            yield b"POST /sendmail HTTP/1.1\r\nHost: %b\r\nAuthorization: Bearer %b\r\n" % (
                place,
                secret.encode(),
            )
        finally:
            process.terminate()
            process.wait()


def hand_in(head: bytes, connections: int, octets: int, seconds: float) -> float:
    """Mails answered with 202 a second.

    Args:
        head: what begins each request, as `container` gives it.
        connections: how many at once; each waits for its answer before the next mail.
        octets: the size of a mail's text.
        seconds: for how long.
    """
    content = base64.b64encode(b"x" * (octets - 2) + b"\r\n").decode()
    headers = {"From": "ann@example.com", "To": "bob@example.net", "Subject": "A mail of the bench"}
    body = json.dumps({"Headers": headers, "Content": content}).encode()
    request = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    host, _, port = head.split(b"Host: ")[1].split(b"\r\n")[0].decode().partition(":")

    async def run() -> float:
        started = time.perf_counter()

        async def one() -> int:
            reader, writer = await asyncio.open_connection(host, int(port))
            done = 0
            while time.perf_counter() < started + seconds:
                writer.write(request)
                answer = await reader.readuntil(HEAD_END)
                length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                if not answer.startswith(OK):
                    raise RuntimeError(f"the container refused a mail: {answer!r}")
                done += 1
            writer.close()
            return done

        done = sum(await asyncio.gather(*(one() for _ in range(connections))))
        return done / (time.perf_counter() - started)

    return asyncio.run(run())
