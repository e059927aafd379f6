"""For every test: no credentials of the machine are used, so no mail goes out by accident."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings

for name in list(os.environ):
    if name.startswith(("AWS_", "SES_", "MAILGUN_", "SENDGRID_", "SMTP_")):
        del os.environ[name]

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
"""The same code gets the same answer each time; `./fab fuzz` looks further."""


def pytest_collection_finish() -> None:
    """What is there now stays, and need not be looked through again and again."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, and see that no two have one name: only one of them would be run."""
    for item in items:
        if not item.nodeid.endswith(item.name) and item.parent is not None:  # as schemathesis leaves its own
            item._id = item.parent.id.child(item.name)
    assert len({item.nodeid for item in items}) == len(items)
    items.sort(key=lambda item: "hosts" not in getattr(item, "fixturenames", ()))
