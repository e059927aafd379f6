"""Everything an operator may set for the web tier, beside what the tiers below read."""

from __future__ import annotations

from pydantic import Field, field_validator

from bitmail.accounts import SignUp
from mta.addresses import BadAddress, parse_address
from mta.configuration import MtaSettings


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
    """

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    socket: int | None = None
    redis_url: str = Field(default="", repr=False)
    domain: str = "localhost"
    origins: str = ""
    signup: SignUp = SignUp.FIRST_LOG_IN

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

    def allowed_origins(self) -> tuple[str, ...]:
        """The origins named, in lower case and without repetition; empty when none was."""
        return tuple(dict.fromkeys(self.origins.lower().replace(",", " ").split()))
