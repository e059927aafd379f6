"""An S3 that is not ours: moto's server, on a real socket, in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import boto3

BUCKET = "blobs"
PATIENCE = 60.0


@contextmanager
def s3_server() -> Iterator[str]:
    """Start it with an empty bucket; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _wait_for(port)
            address = f"http://127.0.0.1:{port}"
            client(address).create_bucket(Bucket=BUCKET)
            yield address
        finally:
            server.terminate()


def client(address: str):  # type: ignore[no-untyped-def]
    """A client of the server that is none of ours."""
    session = boto3.session.Session(
        aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )
    return session.client("s3", endpoint_url=address)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)
        else:
            return
