"""Opening the container that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mta.configuration import MtaSettings
from mta.container import Container
from mta.dispatcher import Measure
from mta.providers.base import Provider
from mta.scheduler import make_scheduler
from mta.strategy import ThresholdFailureStrategy
from store.database import Database


def make_container(
    settings: MtaSettings,
    database: Database,
    providers: Sequence[Provider],
    *,
    when_nobody_left: Callable[[], None],
    measure: Measure | None = None,
) -> Container:
    """A container with the scheduler, the strategy and the times of the settings; not started.

    Args:
        settings: what the operator set.
        database: where the spool lives, migrated.
        providers: what it sends by.
        when_nobody_left: called once when it has said GOOD_BYE.
        measure: called with the result of each attempt.

    Raises:
        UnknownScheduler: the settings name one that cannot be had.
    """
    return Container(
        database,
        providers,
        scheduler=make_scheduler(settings.scheduler),
        strategy=lambda: ThresholdFailureStrategy(settings.failure_threshold),
        settings=settings.container_settings(),
        when_nobody_left=when_nobody_left,
        measure=measure,
    )
