"""A relay in a process of its own: speaks SMTP, takes every mail, and answers as late as it is told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

REPLIES = {
    b"EHLO": b"250-relay.example\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE 10000000\r\n",
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
}
END = b"\r\n.\r\n"


@contextmanager
def relay(latency: float) -> Iterator[int]:
    """Start a relay, give its port, and stop it at the end.

    Args:
        latency: seconds between the end of a mail and the answer.
    """
    words = [sys.executable, "-m", "bench.relay", str(latency)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._buffer = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 relay.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer each command, and each mail."""
        self._buffer += data
        while (end := self._buffer.find(END if self._in_mail else b"\r\n")) >= 0:
            line = self._buffer[:end]
            if self._in_mail:
                self._buffer = self._buffer[end + len(END) :]
                asyncio.get_running_loop().call_later(self._latency, self._answer)
            else:
                self._buffer = self._buffer[end + 2 :]
                self._command(line)
            self._in_mail = line == b"DATA" and not self._in_mail

    def _command(self, line: bytes) -> None:
        if line == b"DATA":
            self._transport.write(b"354 go\r\n")
        elif line == b"QUIT":
            self._transport.write(b"221 2.0.0 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(REPLIES.get(line[:4].upper(), b"502 5.5.2 unknown\r\n"))

    def _answer(self) -> None:
        self._transport.write(b"250 2.0.0 Ok: queued as 1\r\n")


async def serve(latency: float) -> None:
    """Serve until killed; the port is the first line of the output."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Conversation(latency), "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
