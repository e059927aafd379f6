"""Everything an operator may set for the web tier, beside what the tiers below read."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, FilePath, SecretStr, field_validator

from bitmail.accounts import SignUp
from bitmail.leaving import LONGEST_UNDO
from mta.addresses import BadAddress, parse_address, parse_recipients
from mta.configuration import SHORTEST_SECRET, MtaSettings
from mta.hooks.sendgrid import SendGridHook
from mta.hooks.sns import TOPIC


class Settings(MtaSettings):
    """Read from the environment (`BITMAIL_…`) or from `.env`.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 for any that is free.
        socket: number of a listening socket that a supervisor holds open for us, in place of host and port.
        redis_url: where several web processes share the state of pages; empty for in this process. May hold a password.
        domain: the part after the @ of every account.
        origins: origins that may open the websocket and post forms, separated by blanks or commas; empty for the
            address that the page is served at.
        signup: how an account comes to be: by the first log-in, by an invitation, or by the operator alone.
        undo: the most seconds in which a mail sent from the page can be called back; people choose fewer.
        ses_topics: ARNs of the SNS topics that may call the hook of SES, separated by blanks or commas.
        sendgrid_webhook_key: the verification key of SendGrid's event webhook, which is public.
        mailgun_webhook_signing_key: signs what Mailgun calls with; it is not the API key.
        incoming_secret: the password in the address that SendGrid's Inbound Parse calls.
        s3_endpoint: another address of S3 for mail that SES keeps there.
        smtp_listen: `host:port` on which mail is taken by SMTP; empty for nowhere.
        smtp_certificate, smtp_key: files in PEM by which SMTP speaks TLS; the key may stand in the former.
        submission_listen: `host:port` on which people's own programs hand in mail by SMTP; empty for nowhere.
        mails_an_hour: mails that one account may send in an hour; 0 for as many as it likes.
        bytes_a_day: bytes that one account may send in a day; 0 for as many as it likes.
        most_drafts: drafts that one account may have; 0 for as many as it likes.
        local_delivery: mail between two accounts here goes through no provider.
        operators: names of the accounts that may see and run everything, separated by blanks or commas.
        alert_mail: whom to write to when something cannot wait; empty for nobody.
        alert_url: a webhook to call then; it may hold a secret.
        alert_queue_age: seconds that a mail may wait before that is such a thing.
        webhooks_to_loopback: people's webhooks may lead to this host itself, also without TLS; for trying them out.
        metrics_secret: what a reader of `/metrics` has to know; empty admits programs on this host alone.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    socket: int | None = None
    redis_url: str = Field(default="", repr=False)
    domain: str = "localhost"
    origins: str = ""
    signup: SignUp = SignUp.FIRST_LOG_IN
    undo: float = Field(default=LONGEST_UNDO, ge=0, le=120)
    ses_topics: str = ""
    sendgrid_webhook_key: str = Field(default="", validation_alias="SENDGRID_WEBHOOK_KEY")
    mailgun_webhook_signing_key: SecretStr = Field(
        default=SecretStr(""), validation_alias="MAILGUN_WEBHOOK_SIGNING_KEY"
    )
    incoming_secret: SecretStr = SecretStr("")
    s3_endpoint: str = Field(default="", validation_alias="AWS_ENDPOINT_URL_S3")
    smtp_listen: str = ""
    smtp_certificate: FilePath | None = None
    smtp_key: FilePath | None = None
    submission_listen: str = ""
    mails_an_hour: int = Field(default=0, ge=0)
    bytes_a_day: int = Field(default=0, ge=0)
    most_drafts: int = Field(default=1000, ge=0)
    local_delivery: bool = False
    operators: str = ""
    alert_mail: str = ""
    alert_url: SecretStr = SecretStr("")
    alert_queue_age: float = Field(default=900.0, gt=0, allow_inf_nan=False)
    webhooks_to_loopback: bool = False
    metrics_secret: SecretStr = SecretStr("")

    @field_validator("domain")
    @classmethod
    def _domain_is_one(cls, domain: str) -> str:
        try:
            return parse_address(f"postmaster@{domain}").domain
        except BadAddress as error:
            raise ValueError(f"{domain!r} is no mail domain: {error.reason}") from None

    @field_validator("redis_url")
    @classmethod
    def _redis_url_is_one(cls, redis_url: str) -> str:
        if redis_url and not redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("this is no address of Redis; write it like redis://10.0.0.5:6379/0")
        return redis_url

    @field_validator("origins")
    @classmethod
    def _origins_are_some(cls, origins: str) -> str:
        for origin in origins.replace(",", " ").split():
            scheme, found, rest = origin.partition("://")
            if scheme not in ("http", "https") or not found or not rest or "/" in rest:
                raise ValueError(f"{origin!r} is no origin; write it like https://mail.example.com")
        return origins

    def operator_names(self) -> tuple[str, ...]:
        """The accounts of operators."""
        return tuple(dict.fromkeys(self.operators.lower().replace(",", " ").split()))

    def allowed_origins(self) -> tuple[str, ...]:
        """The origins named, in lower case and without repetition; empty when none was."""
        return tuple(dict.fromkeys(self.origins.lower().replace(",", " ").split()))

    @field_validator("ses_topics")
    @classmethod
    def _topics_are_some(cls, topics: str) -> str:
        for topic in topics.replace(",", " ").split():
            if not TOPIC.fullmatch(topic):
                raise ValueError(
                    f"{topic!r} is no topic; write it like arn:aws:sns:eu-west-1:123456789012:name"
                )
        return topics

    @field_validator("sendgrid_webhook_key")
    @classmethod
    def _key_is_one(cls, key: str) -> str:
        if key:
            SendGridHook(key)
        return key

    @field_validator("alert_mail")
    @classmethod
    def _people_are_some(cls, people: str) -> str:
        for error in parse_recipients(people).errors:
            raise ValueError(f"names no address: {error.reason}")
        return people

    @field_validator("alert_url")
    @classmethod
    def _url_is_one(cls, url: SecretStr) -> SecretStr:
        parts = urlsplit(url.get_secret_value())
        if url.get_secret_value() and not (parts.scheme in ("http", "https") and parts.hostname):
            raise ValueError("is no address such as https://alerts.example.com/hook")
        return url

    @field_validator("incoming_secret", "metrics_secret")
    @classmethod
    def _secret_is_long(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"is too short; take at least {SHORTEST_SECRET} random characters")
        return secret

    @field_validator("smtp_listen", "submission_listen")
    @classmethod
    def _address_is_one(cls, address: str) -> str:
        host, colon, port = address.rpartition(":")
        if address and not (colon and host and port.isdecimal() and int(port) <= 65535):
            raise ValueError("write it like 127.0.0.1:2525, or 0.0.0.0:25 for all networks")
        return address

    def topics(self) -> tuple[str, ...]:
        """The topics named."""
        return tuple(self.ses_topics.replace(",", " ").split())
