"""Sealed keys: settings that are secret, in a file that only a start-up passphrase opens.

The key is made of the passphrase by scrypt (RFC 7914), and the cipher is ChaCha20-Poly1305 (RFC 8439): a changed file
is refused like a wrong passphrase.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mta.errors import MtaError

FORMAT = "bitmail sealed keys 1"
COST = {"n": 2**17, "r": 8, "p": 1}
"""Of scrypt: 128 MiB and some tenths of a second, once at start."""
MOST = {"n": 2**20, "r": 16, "p": 4}
"""What a file may ask for; a file that somebody changed must not fill the memory."""
SHORTEST = 12
"""Characters of a passphrase."""


class SealError(MtaError):
    """The sealed keys cannot be used; the message says why."""


class WrongPassphrase(SealError):
    """The passphrase does not open the file."""


def seal(values: Mapping[str, str], passphrase: str) -> bytes:
    """The content of a file of sealed keys.

    Args:
        values: settings by the name of their variable.
        passphrase: at least `SHORTEST` characters.

    Raises:
        SealError: the passphrase is too short.
    """
    if len(passphrase) < SHORTEST:
        raise SealError(
            f"A passphrase has at least {SHORTEST} characters. Take some words that nobody would guess."
        )
    salt, nonce = os.urandom(16), os.urandom(12)
    box = _cipher(passphrase, salt, COST).encrypt(nonce, json.dumps(dict(values)).encode(), FORMAT.encode())
    head = {"format": FORMAT, "scrypt": COST, "salt": _text(salt), "nonce": _text(nonce), "box": _text(box)}
    return json.dumps(head, indent=1).encode() + b"\n"


def unseal(content: bytes, passphrase: str) -> dict[str, str]:
    """The settings in a file of sealed keys.

    Raises:
        WrongPassphrase: it does not open the file, or somebody changed the file.
        SealError: this is no such file.
    """
    try:
        head = json.loads(content)
        if head["format"] != FORMAT:
            raise SealError(f"The file of sealed keys is of another kind: {str(head['format'])[:60]!r}.")
        salt, nonce, box = (base64.b64decode(head[part], validate=True) for part in ("salt", "nonce", "box"))
        cost = {name: min(int(head["scrypt"][name]), most) for name, most in MOST.items()}
        cipher = _cipher(passphrase, salt, cost)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise SealError("The file of sealed keys is damaged. Make it anew with ./fab seal_keys.") from error
    try:
        values: dict[str, Any] = json.loads(cipher.decrypt(nonce, box, FORMAT.encode()))
    except (InvalidTag, ValueError):
        raise WrongPassphrase("The passphrase does not open the sealed keys. Type it again.") from None
    return {str(name): str(value) for name, value in values.items()}


def _cipher(passphrase: str, salt: bytes, cost: Mapping[str, int]) -> ChaCha20Poly1305:
    key = Scrypt(salt=salt, length=32, **cost).derive(passphrase.encode("utf-8", "surrogatepass"))
    return ChaCha20Poly1305(key)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
