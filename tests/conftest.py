"""For every test: no credentials of the machine are used, so no mail goes out by accident."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

for name in list(os.environ):
    if name.startswith(("AWS_", "SES_", "MAILGUN_", "SENDGRID_", "SMTP_")):
        del os.environ[name]

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
"""The same code gets the same answer each time; `./fab fuzz` looks further."""

HOSTS = "tests/deploy/"
"""Where tests share hosts, and take longest."""


class Scheduling(LoadFileScheduling):
    """Where several processes share the tests, each takes a whole file, and one of them all that are on hosts."""

    def _split_scope(self, nodeid: str) -> str:
        return HOSTS if nodeid.startswith(HOSTS) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    return Scheduling(config, log)


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
    items.sort(key=lambda item: not item.nodeid.startswith(HOSTS))
