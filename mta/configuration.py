"""The configuration of the sending tier, from the environment or `.env`."""

from __future__ import annotations

from typing import Literal, TypeVar

from pydantic import Field, FilePath, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mta.errors import MtaError
from mta.settings import ContainerSettings, WhenDown
from store.settings import StoreSettings

SHORTEST_SECRET = 16
Settings = TypeVar("Settings", bound=BaseSettings)


class ConfigurationError(MtaError):
    """A setting that cannot work; the message names the variable and what is wrong, and shows no secret."""


class MtaSettings(StoreSettings):
    """Read from the environment (`BITMAIL_…`, and `SMTP_…` of a relay) or from `.env`.

    Attributes:
        providers: the list of MTA providers; empty for those whose own variables are set, else LoopBack.
        scheduler: `round-robin`, `weighted`, `adaptive`, or `package.module:Class`.
        when_down: what the service does when no provider is left.
        container: whether the web server does the sending itself.
        failure_threshold: consecutive failures after which a provider is taken out of service.
        uncertain_grace: seconds that a mail which may have been accepted is held for its provider to tell.
        lifetime: seconds until a delivery that nobody takes has failed.
        container_host, container_port: where `python -m mta` serves; port 0 for any that is free.
        container_secret: what whoever hands in mail there, or reads events and metrics, has to know; empty
            admits nobody.
        container_certificate, container_key: files for it to serve by TLS; none for plain HTTP.
        keep_days: days for which a finished mail stays whole in the spool; 0 for ever.
        smtp_host, smtp_port, smtp_user, smtp_password, smtp_tls: the relay that a bare `smtp` means.
    """

    model_config = SettingsConfigDict(hide_input_in_errors=True, populate_by_name=True)

    providers: str = Field(default="", repr=False)
    scheduler: str = "round-robin"
    when_down: WhenDown = WhenDown.TERMINATE
    container: Literal["inside", "beside"] = "inside"
    failure_threshold: int = Field(default=5, ge=1)
    uncertain_grace: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    lifetime: float = Field(default=172_800.0, gt=0, allow_inf_nan=False)
    container_host: str = "127.0.0.1"
    container_port: int = Field(default=3200, ge=0, le=65535)
    container_secret: SecretStr = SecretStr("")
    container_certificate: FilePath | None = None
    container_key: FilePath | None = None
    keep_days: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    smtp_host: str = Field(default="", validation_alias="SMTP_HOST")
    smtp_port: str = Field(default="", validation_alias="SMTP_PORT")
    smtp_user: str = Field(default="", validation_alias="SMTP_USER")
    smtp_password: SecretStr = Field(default=SecretStr(""), validation_alias="SMTP_PASSWORD")
    smtp_tls: str = Field(default="", validation_alias="SMTP_TLS")

    @field_validator("container_secret")
    @classmethod
    def _secret_is_long(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"is shorter than {SHORTEST_SECRET} characters; take a long random text")
        return secret

    def container_settings(self) -> ContainerSettings:
        """What of this a container needs to know."""
        return ContainerSettings(
            lifetime=self.lifetime,
            uncertain_grace=self.uncertain_grace,
            when_down=self.when_down,
            keep=self.keep_days * 86400.0,
        )


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
