"""A Redis server that keeps everything in memory, installed where a Debian has none."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.mta.scripted import wait_until


@contextmanager
def redis_server(address: str, port: int, password: str = "") -> Iterator[None]:
    """Run one until the end of the block; given once it takes connections."""
    if not shutil.which("redis-server"):
        for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "redis-server"]):
            subprocess.run(["apt-get", *words], check=True, stdin=subprocess.DEVNULL)
    words = ["redis-server", "--bind", address, "--port", str(port), "--save", "", "--requirepass", password]
    server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: server.poll() is not None or _answers(address, port))
        assert server.poll() is None, "Redis ended"
        yield
    finally:
        server.terminate()
        server.wait()


def _answers(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), 1):
        return True
    return False
