"""The two calls of SES version 2 that are used, as the model in botocore has them; signatures are verified."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from tests.fakes.http import FakeService, Reply, Request, reply

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([\w-]+)/ses/aws4_request,"
    r" SignedHeaders=([\w;-]+), Signature=(\w+)"
)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was accepted."""

    to: str
    raw: bytes
    asked: dict[str, Any]


def refusal(status: int, code: str, message: str) -> Reply:
    """An error in the protocol rest-json."""
    return reply(status, {"message": message}, x_amzn_ErrorType=code)


class FakeSes(FakeService):
    """Knows one pair of keys."""

    def __init__(self, *script: Any, access: str = "AKIA1", secret: str = "secret-1", **more: Any) -> None:
        super().__init__(*script, **more)
        self.access, self.secret = access, secret
        self.account: dict[str, Any] = {"SendingEnabled": True, "ProductionAccessEnabled": True}

    def answer(self, request: Request) -> Reply:
        match = AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if match is None:
            return refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        if match[1] != self.access:
            return refusal(403, "UnrecognizedClientException", "The security token included is invalid.")
        if match[5] != self._signature(request, match[2], match[3], match[4]):
            return refusal(
                403, "InvalidSignatureException", "The request signature we calculated does not match"
            )
        match (request.method, request.path):
            case ("GET", "/v2/email/account"):
                return reply(200, self.account)
            case ("POST", "/v2/email/outbound-emails"):
                return self._send(json.loads(request.body))
        return refusal(404, "UnknownOperationException", "")

    def _send(self, asked: dict[str, Any]) -> Reply:
        raw = base64.b64decode(asked["Content"]["Raw"]["Data"])
        [to] = asked["Destination"]["ToAddresses"]
        names = re.findall(rb"(?m)^([\w-]+):", raw.partition(b"\r\n\r\n")[0].lower())
        for name in (b"subject", b"from", b"reply-to", b"message-id"):
            if names.count(name) > 1:
                return refusal(400, "BadRequestException", f"Duplicate header '{name.decode()}'.")
        if not raw.isascii():
            return refusal(
                400, "BadRequestException", "this fake is stricter than SES, which spoils such mails"
            )
        self.accepted.append(Mail(to, raw, asked))
        return reply(200, {"MessageId": f"0100-{len(self.accepted)}"})

    def _signature(self, request: Request, day: str, region: str, signed: str) -> str:
        """Signature version 4, as AWS documents it."""
        lines = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in signed.split(";"))
        digest = hashlib.sha256(request.body).hexdigest()
        canonical = "\n".join([request.method, request.path, "", lines, signed, digest])
        moment = request.headers["x-amz-date"]
        to_sign = "\n".join(
            [
                "AWS4-HMAC-SHA256",
                moment,
                f"{day}/{region}/ses/aws4_request",
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )
        key = f"AWS4{self.secret}".encode()
        for word in (day, region, "ses", "aws4_request", to_sign):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        return key.hex()
