"""For every test: no credentials of the machine are used, so no mail goes out by accident."""

from __future__ import annotations

import os

import pytest

for name in list(os.environ):
    if name.startswith(("AWS_", "SES_", "MAILGUN_", "SENDGRID_", "SMTP_")):
        del os.environ[name]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes share the tests, each takes whole files; those on hosts are one lot, and the longest."""
    items.sort(key=lambda item: not _needs_hosts(item))
    for item in items:
        item.add_marker(pytest.mark.xdist_group("hosts" if _needs_hosts(item) else str(item.path)))


def _needs_hosts(item: pytest.Item) -> bool:
    return "hosts" in getattr(item, "fixturenames", ())
