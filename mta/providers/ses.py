"""SES: whole mails in MIME over the API of Amazon's Simple Email Service, version 2."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

from mta.outcomes import Answer, Outcome
from mta.providers.answers import Judge, Row, Secrets, Signal
from mta.providers.base import DELIVERY_TAG, Outgoing, Provider, ProviderOptions
from mta.providers.ses_mail import mail_as_ses_wants_it
from mta.sevenbit import NotSevenBit

CONNECT_SHARE = 0.3
"""Of the time of an attempt, what the connection may take."""
NOT_SES = "no JSON object"
EXPIRED = ("ExpiredToken", "ExpiredTokenException")
REFUSED = (
    *("AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "NotAuthorized"),
    *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "OptInRequired"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
)
INCOMPLETE = (
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"),
    *("NoRegionError", "InvalidRegionError", "ProfileNotFound", "ConfigParseError", "InvalidConfigError"),
    *("SSOTokenLoadError", "UnauthorizedSSOTokenError", "ValueError"),
)

TABLE = (
    Row(Outcome.OVER_QUOTA, "takes no more mail today", codes=["LimitExceededException"], pause=3600),
    Row(
        Outcome.OVER_QUOTA,
        "takes no more mail today",
        words="daily (message|sending) quota exceeded",
        pause=3600,
    ),
    Row(
        Outcome.THROTTLED,
        "asks for slower sending",
        codes=["TooManyRequestsException", "Throttling", "ThrottlingException", "RequestLimitExceeded"],
        pause=10,
    ),
    Row(
        Outcome.MISCONFIGURED,
        "does not send for this sender",
        codes=["MessageRejected"],
        words="not verified",
        sender_only=True,
    ),
    Row(
        Outcome.MISCONFIGURED,
        "does not send for the sender's domain",
        codes=["MailFromDomainNotVerifiedException"],
        sender_only=True,
    ),
    Row(Outcome.REJECTED_MESSAGE, "refused the mail", codes=["MessageRejected"]),
    Row(
        Outcome.REJECTED_MESSAGE,
        "refused the mail",
        codes=["BadRequestException", "ValidationError", "InvalidParameterValue", "ParamValidationError"],
        try_other=True,
    ),
    Row(
        Outcome.MISCONFIGURED,
        "does not allow the account to send",
        codes=["AccountSuspendedException", "SendingPausedException"],
    ),
    Row(Outcome.MISCONFIGURED, "does not know what the settings name", codes=["NotFoundException"]),
    Row(
        Outcome.MISCONFIGURED,
        "does not accept the credentials",
        codes=(*REFUSED, *EXPIRED),
    ),
    Row(Outcome.MISCONFIGURED, "finds the clock of this machine wrong", codes=["RequestExpired"]),
    Row(
        Outcome.MISCONFIGURED,
        "cannot be asked without complete credentials and a region",
        codes=INCOMPLETE,
    ),
    Row(Outcome.MISCONFIGURED, "did not give the answer of its API", codes=[NOT_SES]),
    Row(
        Outcome.UNAVAILABLE,
        "cannot be reached",
        codes=["EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"],
    ),
    Row(Outcome.UNAVAILABLE, "did not get the whole mail", [408]),
    Row(Outcome.REJECTED_MESSAGE, "says that the mail is too large", [413], try_other=True),
    Row(Outcome.THROTTLED, "asks for slower sending", [429], pause=10),
    Row(Outcome.MISCONFIGURED, "does not accept the credentials", [401, 403]),
    Row(Outcome.MISCONFIGURED, "has no such address", [404, 405, 406, 415]),
    Row(Outcome.UNCERTAIN, "gave no number to the mail, and may have taken it", range(200, 300)),
)
"""By the model of the service in botocore and
https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html; a failure has botocore's name for it.
SES names no time to wait: what is too fast a second is not so ten seconds later."""


@dataclass(frozen=True, slots=True)
class SesAccount:
    """Where mails are handed in, and as whom.

    Attributes:
        region: such as `eu-west-1`; "" for that of the profile.
        access_key, secret_key, session_token: credentials; all "" for those of the profile, or of the role that the
            machine has. Shown in no repr.
        profile: a profile in the files of the AWS command line, or "".
        endpoint: another address of the API, or "".
        configuration_set: what SES is to use for these mails, such as where it reports to, or "".
    """

    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    profile: str = ""
    endpoint: str = ""
    configuration_set: str = ""


class SES(Provider):
    """Hands mails to SES in 7 bits, which is all that it carries without harm."""

    max_bytes = 40_000_000

    def __init__(
        self,
        name: str,
        account: SesAccount,
        options: ProviderOptions | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            name: what the provider is called on the screen and in the log.
            account: where the mails go.
            options: what the operator set; `timeout` covers connection and answer.
            clock: tells the time in seconds since the epoch.
        """
        super().__init__(name, options)
        self.account = account
        self._clock = clock
        self._judge = Judge(
            "SES", TABLE, Secrets(account.secret_key, account.session_token, account.access_key)
        )
        self._lock = threading.Lock()
        self._made: Any = None
        self._seen = threading.local()
        logging.getLogger("botocore").setLevel(logging.INFO)  # below that it logs the token of a session

    def __repr__(self) -> str:
        return f"SES({self.name!r}, {self.account!r})"

    def send(self, message: Outgoing) -> Answer:
        """Hand over one mail for one recipient."""
        try:
            raw = mail_as_ses_wants_it(message.raw)
        except NotSevenBit as error:
            return self._judge.unable(str(error))
        if len(raw) > self.max_bytes:
            return self._judge.too_large(len(raw), self.max_bytes)
        more = {}
        if self.account.configuration_set:
            more["ConfigurationSetName"] = self.account.configuration_set
        # No FromEmailAddress or ReplyToAddresses: they would replace what stands in the mail.
        signal, given = self._call(
            "send_email",
            Content={"Raw": {"Data": raw}},
            Destination={"ToAddresses": [message.recipient]},
            EmailTags=[{"Name": DELIVERY_TAG, "Value": message.delivery_id}],
            **more,
        )
        if given.get("MessageId"):
            return self._judge.took(replace(signal, body=self._body()), str(given["MessageId"]))
        return self._judge.judge(replace(signal, body=self._body()), self._clock())

    def check(self) -> Answer:
        """Ask for the account's quota."""
        signal, given = self._call("get_account")
        if signal.code == "AccessDeniedException":
            return Answer(
                Outcome.ACCEPTED, "SES knows the credentials; what they may do shows when a mail is sent."
            )
        if "SendingEnabled" not in given:
            return self._judge.judge(signal, self._clock())
        if not given["SendingEnabled"]:
            return Answer(Outcome.MISCONFIGURED, "SES has the sending of this account switched off.")
        if not given.get("ProductionAccessEnabled", True):
            return Answer(
                Outcome.ACCEPTED,
                "SES accepts the credentials; in its sandbox it sends to verified addresses alone.",
            )
        return Answer(Outcome.ACCEPTED, "SES accepts the credentials.")

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()

    def _call(self, operation: str, **values: Any) -> tuple[Signal, dict[str, Any]]:
        """What came of a call, and what was answered, or {}."""
        for is_last in (False, True):
            self._seen.body = b""
            try:
                given = getattr(self._client(), operation)(**values)
            except ClientError as error:
                signal = _refusal(error, self._body())
                if signal.code not in EXPIRED or is_last:
                    return signal, {}
                self._made = None  # a session may be renewed where the credentials come from
            except (AttributeError, TypeError, ResponseParserError):  # raised for JSON of another form
                return Signal(200, NOT_SES, self._body()), {}
            except (BotoCoreError, HTTPClientError, ValueError) as error:
                return Signal(code=type(error).__name__, text=str(error)), {}
            else:
                status = given["ResponseMetadata"]["HTTPStatusCode"]
                is_json = self._body().lstrip().startswith("{")
                return Signal(status, "" if is_json else NOT_SES, self._body()), given
        raise AssertionError("the last round returns")

    def _body(self) -> str:
        """The last answer to this thread as it came; botocore drops what it does not understand."""
        body: bytes = self._seen.body
        return body.decode("utf-8", "replace")

    def _note_answer(self, response_dict: dict[str, Any], **_: Any) -> None:
        self._seen.body = response_dict["body"]

    def _client(self) -> Any:
        """The client, made when it is first needed: only its calls may be made by several threads at once."""
        with self._lock:
            if self._made is None:
                account, limit = self.account, self.options.timeout
                session = boto3.Session(
                    aws_access_key_id=account.access_key or None,
                    aws_secret_access_key=account.secret_key or None,
                    aws_session_token=account.session_token or None,
                    profile_name=account.profile or None,
                    region_name=account.region or None,
                )
                config = Config(
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=limit * CONNECT_SHARE,
                    read_timeout=limit * (1 - CONNECT_SHARE),
                    max_pool_connections=self.options.concurrency,
                )
                self._made = session.client("sesv2", endpoint_url=account.endpoint or None, config=config)
                self._made.meta.events.register("before-parse.sesv2", self._note_answer)
            return self._made


def _refusal(error: ClientError, body: str) -> Signal:
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return Signal(status, "" if code.isdecimal() else code, text if body.lstrip().startswith("{") else body)
