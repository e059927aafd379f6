"""What every MTA provider looks like to the container."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from mta.outcomes import Answer, Outcome
from mta.providers.conversation import Steps, carry_on

DELIVERY_TAG = "bitmail-delivery"
"""The name under which a provider carries our delivery id, and gives it back in its delivery reports."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery as a provider sees it.

    Attributes:
        delivery_id: our own id; carried in whatever way the provider can give it back.
        sender: the envelope sender, `local@domain`.
        recipient: the envelope recipient, `local@domain`.
        raw: the whole mail in MIME with CRLF line ends and no Bcc. No provider changes what the next gets.
    """

    delivery_id: str
    sender: str
    recipient: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What an operator may set for any provider.

    Attributes:
        concurrency: attempts that may run at once.
        rate: attempts a second, or 0 for no limit.
        weight: share in the weighted schedule.
        timeout: seconds that one attempt may take.
    """

    concurrency: int = 8
    rate: float = 0.0
    weight: int = 1
    timeout: float = 30.0


class Provider(ABC):
    """One way to hand a mail to the world.

    `send` is called from several threads at once, at most `options.concurrency`; it blocks, and returns
    within `options.timeout` seconds, give or take the last system call.
    """

    can_envelope: bool = True
    """Takes the mail as it is and an envelope recipient apart from the visible To and Cc."""
    can_mime: bool = True
    """Takes any structure of MIME as it is; see `mta.tree.needs_mime` for those that only such a provider can."""
    can_smtputf8: bool = False
    """Can send to addresses whose local part is not ASCII."""
    max_bytes: int | None = None
    """Largest mail in encoded bytes, or None when not known."""
    is_local: bool = False
    """Files mail on this very service: what it takes goes to no other, and it is no way to the world."""
    idempotent: bool = False
    """Repeating an attempt for the same delivery id is harmless, so an unclear one is repeated at once."""

    def __init__(self, name: str, options: ProviderOptions | None = None) -> None:
        self.name = name
        self.options = options or ProviderOptions()

    @abstractmethod
    def send(self, message: Outgoing) -> Answer:
        """Make one attempt and say what came of it. Never raises for what the world does."""

    def takes(self, recipient: str) -> bool:
        """Whether it can send to this address at all."""
        return True

    def check(self) -> Answer:
        """Ask, as cheaply as can be and without sending, whether the credentials are good.

        Returns:
            Accepted when they are; else what is wrong, of the class that an attempt would have. Never raises for
            what the world does.
        """
        return Answer(Outcome.ACCEPTED, "There are no credentials to check.")

    def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """Give back connections. No attempt is running when this is called."""


class Conversing(Provider):
    """A provider that makes an attempt in steps, so that many need one thread."""

    def send(self, message: Outgoing) -> Answer:
        """Make one attempt in this thread."""
        return carry_on(self.converse(message))

    @abstractmethod
    def converse(self, message: Outgoing) -> Steps[Answer]:
        """The same in steps that never block."""
