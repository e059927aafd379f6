"""The configuration of the sending tier, from the environment or `.env`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from pydantic import AliasChoices, Field, FilePath, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mta.errors import MtaError
from mta.passphrase import read_passphrase
from mta.sealing import SealError, unseal
from mta.settings import ContainerSettings, WhenDown
from store.settings import StoreSettings

SHORTEST_SECRET = 16
Settings = TypeVar("Settings", bound=BaseSettings)


class ConfigurationError(MtaError):
    """A setting that cannot work; the message names the variable and what is wrong, and shows no secret."""


class MtaSettings(StoreSettings):
    """Read from the environment (`BITMAIL_…`, and those of the providers) or from `.env`.

    Attributes:
        providers: the list of MTA providers; empty for those whose own variables are set, else LoopBack.
        scheduler: `round-robin`, `weighted`, `adaptive`, or `package.module:Class`.
        when_down: what the service does when no provider is left.
        container: whether the web server does the sending itself.
        failure_threshold: consecutive failures after which a provider is taken out of service.
        uncertain_grace: seconds that a mail which may have been accepted is held for its provider to tell.
        lifetime: seconds until a delivery that nobody takes has failed.
        container_host, container_port: where `python -m mta` serves; port 0 for any that is free.
        container_secret: what whoever hands in mail there, or reads events and metrics, has to know, at least 16
            characters; empty admits nobody, and shows only the health.
        container_certificate, container_key: files for it to serve by TLS; without them the secret travels in the
            clear, so keep it on this machine.
        keep_days: days for which a finished mail stays whole in the spool; 0 for ever.
        keys_file: settings that are secret, sealed by a passphrase; read where it is there.
        passphrase_file, passphrase_fd: where the passphrase comes from; else it is asked for.
        smtp_host, smtp_port, smtp_user, smtp_password, smtp_tls: the relay that a bare `smtp` means.
        aws_access_key_id, aws_secret_access_key, aws_session_token, aws_region, aws_profile, aws_endpoint,
            ses_configuration_set: the account of `ses`.
        mailgun_api_key, mailgun_domain, mailgun_region, mailgun_url: the account of `mailgun`.
        sendgrid_api_key, sendgrid_region, sendgrid_url: the account of `sendgrid`.
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
    keys_file: Path = Path("keys.sealed")
    passphrase_file: Path | None = None
    passphrase_fd: int | None = Field(default=None, ge=0)
    smtp_host: str = Field(default="", validation_alias="SMTP_HOST")
    smtp_port: str = Field(default="", validation_alias="SMTP_PORT")
    smtp_user: str = Field(default="", validation_alias="SMTP_USER")
    smtp_password: SecretStr = Field(default=SecretStr(""), validation_alias="SMTP_PASSWORD")
    smtp_tls: str = Field(default="", validation_alias="SMTP_TLS")
    aws_access_key_id: SecretStr = Field(default=SecretStr(""), validation_alias="AWS_ACCESS_KEY_ID")
    aws_secret_access_key: SecretStr = Field(default=SecretStr(""), validation_alias="AWS_SECRET_ACCESS_KEY")
    aws_session_token: SecretStr = Field(default=SecretStr(""), validation_alias="AWS_SESSION_TOKEN")
    aws_region: str = Field(default="", validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"))
    aws_profile: str = Field(default="", validation_alias="AWS_PROFILE")
    aws_endpoint: str = Field(
        default="", validation_alias=AliasChoices("AWS_ENDPOINT_URL_SESV2", "AWS_ENDPOINT_URL")
    )
    ses_configuration_set: str = Field(default="", validation_alias="SES_CONFIGURATION_SET")
    mailgun_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="MAILGUN_API_KEY")
    mailgun_domain: str = Field(
        default="", validation_alias=AliasChoices("MAILGUN_DOMAIN", "MAILGUN_SENDER_DOMAIN")
    )
    mailgun_region: str = Field(default="", validation_alias="MAILGUN_REGION")
    mailgun_url: str = Field(default="", validation_alias=AliasChoices("MAILGUN_API_URL", "MAILGUN_BASE_URL"))
    sendgrid_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="SENDGRID_API_KEY")
    sendgrid_region: str = Field(default="", validation_alias="SENDGRID_REGION")
    sendgrid_url: str = Field(default="", validation_alias="SENDGRID_API_URL")

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


def read_settings(kind: type[Settings], file: Path | None = None) -> Settings:
    """The settings as they are now.

    Args:
        kind: which.
        file: to be read instead of `.env`; sealed keys count more than either, and the environment most.

    Raises:
        ConfigurationError: naming each variable whose value cannot be used, without its value; or the sealed keys
            cannot be opened.
    """
    settings = _read(kind, file)
    if not isinstance(settings, MtaSettings) or not settings.keys_file.is_file():
        return settings
    try:
        passphrase = read_passphrase(settings.passphrase_fd, settings.passphrase_file)
        sealed = unseal(settings.keys_file.read_bytes(), passphrase)
    except (SealError, OSError) as error:
        raise ConfigurationError(f"BITMAIL_KEYS_FILE={settings.keys_file}: {error}") from error
    given = {
        variable.key: sealed[name]
        for variable in variables(kind)
        if not any(name in os.environ for name in variable.names)
        for name in reversed(variable.names)
        if name in sealed
    }
    return _read(kind, file, given)


@dataclass(frozen=True, slots=True)
class Variable:
    """A setting as its operator sets it.

    Attributes:
        key: what its class calls it.
        names: of the environment's variables that set it; the first that is set counts.
        is_secret: its value is, or may hold, a secret.
    """

    key: str
    names: tuple[str, ...]
    is_secret: bool


def variables(kind: type[BaseSettings]) -> list[Variable]:
    """Every setting of a class."""
    prefix = str(kind.model_config.get("env_prefix", ""))
    found: list[Variable] = []
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        named = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias else []
        names = tuple(str(each) for each in named) or (f"{prefix}{name}".upper(),)
        is_secret = field.annotation is SecretStr or not field.repr
        found.append(Variable(names[0] if alias else name, names, is_secret))
    return found


def _read(
    kind: type[Settings], file: Path | None, sealed: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    given: dict[str, Any] = dict(sealed)
    try:
        return kind(**given) if file is None else kind(_env_file=file, **given)
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
