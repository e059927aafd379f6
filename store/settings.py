"""Where the data is: the settings that every tier shares."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from store.logs import Form, Level


class StoreSettings(BaseSettings):
    """Read from the environment (`BITMAIL_…`) or from `.env`.

    Attributes:
        var: folder of whatever is written at run time.
        database_url: an SQLAlchemy URL of SQLite or PostgreSQL 15 or newer, such as `sqlite:///path` or
            `postgresql+psycopg://user:password@host/name`; empty for SQLite in `var`.
        blobs_url: where blobs are kept instead of the database, in an S3-compatible store:
            `s3://KEY:SECRET@bucket/prefix?endpoint=https://host:9000&region=eu-1`; without key and secret the `AWS_…`
            variables, without an endpoint Amazon.
        store_url: address of a store server to use instead of a database, such as `https://host:3100`; empty for none.
        store_secret: what a store server and its callers share; the server does not start without it.
        store_ca: PEM file with the certificate of the store server or of its issuer; empty for the system's.
        store_host, store_port: where `python -m store` serves.
        store_certificate, store_key: PEM files for it to serve by TLS; none for plain HTTP, on the loopback only.
        log: how log lines are written; empty for words on a terminal and JSON elsewhere.
        log_level: from which level on.
        otel_endpoint: address of an OpenTelemetry collector that is told, by OTLP over HTTP, what each mail's way
            takes, such as `http://127.0.0.1:4318`; empty for none.
        otel_headers: what it wants to know of its callers, as `name=value,name=value`.
    """

    model_config = SettingsConfigDict(
        env_prefix="BITMAIL_", env_file=".env", extra="ignore", populate_by_name=True
    )

    var: Path = Path("var")
    database_url: str = Field(default="", repr=False)
    blobs_url: str = Field(default="", repr=False)
    store_url: str = ""
    store_secret: SecretStr = SecretStr("")
    store_ca: str = ""
    store_host: str = "127.0.0.1"
    store_port: int = 3100
    store_certificate: Path | None = None
    store_key: Path | None = None
    log: Form = Form.AUTO
    log_level: Level = Level.INFO
    otel_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_headers: SecretStr = Field(default=SecretStr(""), validation_alias="OTEL_EXPORTER_OTLP_HEADERS")

    @field_validator("blobs_url")
    @classmethod
    def _blobs_url_is_one(cls, blobs_url: str) -> str:
        parts = urlsplit(blobs_url)
        if blobs_url and (parts.scheme != "s3" or not parts.hostname):
            raise ValueError(
                "this is no address of a bucket; write it like s3://bucket/prefix?endpoint=https://host"
            )
        return blobs_url

    @field_validator("otel_endpoint")
    @classmethod
    def _endpoint_is_one(cls, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("this is no address of a collector; write it like http://127.0.0.1:4318")
        return endpoint

    def resolved_database_url(self) -> str:
        """The URL of the database in use; it may hold a password."""
        return self.database_url or f"sqlite:///{self.var / 'bitmail.db'}"
