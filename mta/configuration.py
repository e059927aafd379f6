"""Settings of the sending tier, from the environment or `.env`."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from store.settings import StoreSettings

Settings = TypeVar("Settings", bound=BaseSettings)


class ConfigurationError(ValueError):
    """A setting that cannot work; the message names the variable and what is wrong, and shows no secret."""


class MtaSettings(StoreSettings):
    """Read from the environment (`BITMAIL_…`, and `SMTP_…` of a relay) or from `.env`.

    Attributes:
        providers: the list of MTA providers; empty for those whose own variables are set, else LoopBack.
        scheduler: `round-robin`, `weighted`, `adaptive`, or `package.module:Class`.
        when_down: what the service does when no provider is left.
        container: whether the web server does the sending itself.
        failure_threshold: consecutive failures after which a provider is taken out of service.
        trial_pause: seconds until a provider out of service gets a trial, times how often it was taken out.
        uncertain_policy: whether a mail that may have been accepted is sent again.
        uncertain_grace: seconds that such a mail is held, so that the provider can still tell.
        lifetime: seconds until a delivery that nobody takes has failed.
        smtp_host, smtp_port, smtp_user, smtp_password, smtp_tls: the relay that a bare `smtp` means.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True, populate_by_name=True)

    providers: str = Field(default="", repr=False)
    scheduler: str = "round-robin"
    when_down: Literal["terminate", "wait"] = "terminate"
    container: Literal["inside", "beside"] = "inside"
    failure_threshold: int = Field(default=3, ge=1)
    trial_pause: float = Field(default=30.0, gt=0)
    uncertain_policy: Literal["at_least_once", "at_most_once"] = "at_least_once"
    uncertain_grace: float = Field(default=60.0, ge=0)
    lifetime: float = Field(default=172_800.0, gt=0)
    smtp_host: str = Field(default="", validation_alias="SMTP_HOST")
    smtp_port: str = Field(default="", validation_alias="SMTP_PORT")
    smtp_user: str = Field(default="", validation_alias="SMTP_USER")
    smtp_password: SecretStr = Field(default=SecretStr(""), validation_alias="SMTP_PASSWORD")
    smtp_tls: str = Field(default="", validation_alias="SMTP_TLS")


def read_settings(kind: type[Settings]) -> Settings:
    """The settings as they are now.

    Raises:
        ConfigurationError: naming each variable whose value cannot be used, without its value.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = str(kind.model_config.get("env_prefix", ""))
        faults = [
            f"{_variable(prefix, fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise ConfigurationError("; ".join(faults)) from None


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    name = ".".join(map(str, location))
    return name if name.isupper() else f"{prefix}{name}".upper()
