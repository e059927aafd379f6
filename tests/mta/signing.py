"""Signs calls of hooks as the services do, with keys of the tests' own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-1:123456789012:bitmail"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
SUBSCRIBE_URL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
MAILGUN_KEY = "key-of-this-test"


class Amazon:
    """Signs messages of SNS, and serves its certificate; notes what was fetched."""

    def __init__(self, now: float) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        self.now = now
        self.certificate = self.make_certificate(self._key)
        self.fetched: list[str] = []

    def make_certificate(self, key: Any, days: int = 1) -> bytes:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.fromtimestamp(self.now, UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .sign(key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def fetch(self, address: str) -> bytes:
        self.fetched.append(address)
        return self.certificate if address.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"

    def call(
        self, message: Mapping[str, Any] | str, kind: str = "Notification", version: str = "2", **changed: str
    ) -> bytes:
        """The body of a call; what is `changed` is changed before it is signed."""
        at = datetime.fromtimestamp(self.now, UTC)
        fields = {
            "Type": kind,
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Message": message if isinstance(message, str) else json.dumps(message),
            "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z",
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
        }
        if kind == "Notification":
            fields["Subject"] = "Amazon SES Email Event Notification"
        else:
            fields |= {"Token": "t", "SubscribeURL": SUBSCRIBE_URL}
        fields |= changed
        # As Amazon writes it: the names in order of the alphabet, each on a line, its value on the next.
        names = sorted(set(fields) - {"SignatureVersion", "SigningCertURL"})
        signed = "".join(f"{name}\n{fields[name]}\n" for name in names)
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), algorithm)
        return json.dumps(fields | {"Signature": base64.b64encode(signature).decode()}).encode()


class Twilio:
    """Signs calls of SendGrid."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_key = base64.b64encode(
            self._key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).decode()

    def headers(self, body: bytes, at: float) -> dict[str, str]:
        timestamp = str(int(at))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }


def mailgun_signature(at: float, token: str, key: str = MAILGUN_KEY) -> dict[str, str]:
    timestamp = str(int(at))
    signature = hmac.new(key.encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": signature}


def mailgun_call(event: Mapping[str, Any], at: float, token: str = "t" * 50) -> bytes:
    return json.dumps({"signature": mailgun_signature(at, token), "event-data": event}).encode()


def form_data(fields: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A form as multipart: bytes or text for a field, or a file's name, type and bytes; with its headers."""
    boundary = "xYzZY"
    parts = []
    for name, value in fields.items():
        said = f'Content-Disposition: form-data; name="{name}"'
        if isinstance(value, tuple):
            file_name, kind, value = value
            said += f'; filename="{file_name}"\r\nContent-Type: {kind}'
        content = value.encode() if isinstance(value, str) else value
        parts.append(f"--{boundary}\r\n{said}\r\n\r\n".encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, {"content-type": f"multipart/form-data; boundary={boundary}"}
