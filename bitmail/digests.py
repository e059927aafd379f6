"""What is kept of a secret that only its owner holds: enough to know it again, and nothing to use it by."""

from __future__ import annotations

import hashlib


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret, in hexadecimal; enough for one that is random and long, not for a password."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
