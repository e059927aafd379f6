"""The options of one item in the list of providers."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from mta.configuration import ConfigurationError
from mta.providers.base import ProviderOptions

LIST = "BITMAIL_PROVIDERS"
OPTIONS = ("concurrency", "rate", "weight", "timeout", "name")
MOST_CONCURRENCY = 1000
MOST_WEIGHT = 1000
MOST_SECONDS = 3600.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
SHOWN = re.compile(r"([A-Za-z]{1,20})(?:://(.*@)?([A-Za-z0-9_.\[\]-]{0,253}))?", re.DOTALL)


class Options:
    """What stands behind the question mark."""

    def __init__(self, item: str, query: str, allowed: tuple[str, ...]) -> None:
        """
        Args:
            item: the whole item, for what is said of it.
            query: what stands behind its question mark.
            allowed: the options that there are.

        Raises:
            ConfigurationError: an option is unknown, or stands twice.
        """
        self._where = f"{LIST}: {shown(item)}"
        self._values: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in allowed:
                named = f"option {name}" if re.fullmatch("[a-z_]{1,20}", name) else "an option"
                raise ConfigurationError(f"{self._where}: {named} is unknown; there are {', '.join(allowed)}")
            if name in self._values:
                raise ConfigurationError(f"{self._where}: option {name} stands twice")
            self._values[name] = value

    def get(self, name: str) -> str:
        """The value of an option, or ""."""
        return self._values.get(name, "")

    def name(self, default: str) -> str:
        """What the provider is called."""
        name = self._values.get("name", default)
        if not NAME.fullmatch(name):
            raise self.fault("name", "has to be letters, digits, dots and hyphens, at most 40")
        return name

    def common(self) -> ProviderOptions:
        """What may be set for any provider."""
        usual = ProviderOptions()
        return ProviderOptions(
            concurrency=int(self._number("concurrency", usual.concurrency, 1, MOST_CONCURRENCY, whole=True)),
            rate=self._number("rate", usual.rate, 0, float("inf")),
            weight=int(self._number("weight", usual.weight, 1, MOST_WEIGHT, whole=True)),
            timeout=self._number("timeout", usual.timeout, 0.1, MOST_SECONDS),
        )

    def fault(self, name: str, reason: str) -> ConfigurationError:
        """The error to raise for an option."""
        return ConfigurationError(f"{self._where}: option {name} {reason}")

    def _number(self, name: str, usual: float, least: float, most: float, *, whole: bool = False) -> float:
        if name not in self._values:
            return usual
        text = self._values[name]
        kind = "a whole number" if whole else "a number"
        pattern = r"\d{1,9}" if whole else r"\d{1,9}(\.\d{1,9})?"
        if not re.fullmatch(pattern, text, re.ASCII) or not least <= float(text) <= most:
            limits = f"from {least:g}" + (f" to {most:g}" if most < float("inf") else "")
            raise self.fault(name, f"has to be {kind} {limits}")
        return float(text)


def shown(item: str) -> str:
    """The culprit without its log-in: all up to the last @ and behind a host may be a password."""
    match = SHOWN.match(item)
    if match is None or (match[3] is None and "@" in item):
        return "an item"
    if match[3] is None:
        return match[1]
    return f"{match[1]}://{'***@' if match[2] else ''}{match[3]}"
