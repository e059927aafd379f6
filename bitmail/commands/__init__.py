"""What an operator, a script or cron does by `python -m bitmail COMMAND`."""

from __future__ import annotations

from bitmail.commands import doctor, export, mails, migration, people, providers, send, serving
from bitmail.commands.base import Command

COMMANDS: tuple[Command, ...] = (
    *serving.COMMANDS,
    *migration.COMMANDS,
    *people.COMMANDS,
    *providers.COMMANDS,
    *mails.COMMANDS,
    *send.COMMANDS,
    *export.COMMANDS,
    *doctor.COMMANDS,
)
"""In the order in which they are listed."""
