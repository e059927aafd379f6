"""`providers`: how they are, and what picks among them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from bitmail.audit import Action
from bitmail.commands.base import Command, CommandFailed, Output, moment, opened
from bitmail.service import Service
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus
from mta.desk import Desk
from mta.errors import CannotSteer
from mta.holder import place_of
from mta.service import ServiceState
from mta.steering import CONFIGURED, Plan

SERVING = (ServiceState.IN_SERVICE, ServiceState.PAUSED)
BY = "the command line"


def providers(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """How the providers of every running container are; `UNAVAILABLE` when none of them takes mail."""
    with opened(settings) as service:
        steered = _steer(arguments, service)
        plan, reports = service.container.steering.plan(), service.container.containers()
    if steered:
        out.value(_plan(plan), *steered)
        return ExitStatus.OK
    rows = [
        {
            "container": place_of(report.holder),
            **asdict(one),
            "until": moment(one.until),
            "weight": one.figures.weight,
            "scheduler": report.scheduler,
        }
        for report in reports
        for one in report.providers
    ]
    nothing = "No container is running, so no mail goes out. Start python -m bitmail, or python -m mta."
    out.table(rows, ("container", "name", "state", "weight", "scheduler", "until", "error"), nothing)
    serves = any(one.state in SERVING for report in reports for one in report.providers)
    return ExitStatus.OK if serves else ExitStatus.UNAVAILABLE


def _steer(arguments: Namespace, service: Service) -> list[str]:
    """Do what is asked for, write it down, and say what was done."""
    desk, done = service.container, []
    try:
        if arguments.scheduler is not None:
            desk.choose_scheduler(arguments.scheduler, BY)
            done.append(f"set the scheduler to {arguments.scheduler}")
        for asked in arguments.weight:
            name, _, weight = asked.rpartition("=")
            desk.weigh(name, weight, BY)
            done.append(f"set the weight of {name} to {weight}")
        for name, is_out in [
            *((one, True) for one in arguments.out),
            *((one, False) for one in arguments.put_in),
        ]:
            _order(desk, name, is_out=is_out)
            done.append(f"took {name} out of service" if is_out else f"put {name} back into service")
    except CannotSteer as refusal:
        raise CommandFailed(str(refusal), ExitStatus.DATA) from None
    finally:
        for what in done:
            service.model.audit.record("", Action.OPERATED, detail=f"{BY} {what}")
    return [f"{what[0].upper()}{what[1:]}." for what in done]


def _order(desk: Desk, name: str, *, is_out: bool) -> None:
    known = sorted({one.name for one in desk.health()})
    if name not in known:
        raise CannotSteer(
            f"There is no provider “{name}” in a container that runs: there is {', '.join(known) or 'none'}."
        )
    desk.order(name, is_out=is_out)


def _plan(plan: Plan) -> dict[str, object]:
    return {
        "scheduler": asdict(plan.scheduler) if plan.scheduler else None,
        "weights": {name: asdict(ruling) for name, ruling in plan.weights.items()},
    }


def _steering(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scheduler", metavar="NAME", help=f"pick by round-robin, weighted, adaptive, or as {CONFIGURED}"
    )
    parser.add_argument(
        "--weight",
        metavar="PROVIDER=N",
        action="append",
        default=[],
        help=f"give a provider this weight, or the {CONFIGURED} one; may stand several times",
    )
    parser.add_argument(
        "--out", metavar="PROVIDER", action="append", default=[], help="take it out of service"
    )
    parser.add_argument(
        "--in",
        metavar="PROVIDER",
        action="append",
        default=[],
        dest="put_in",
        help="put it back into service",
    )


COMMANDS = (
    Command(
        "providers",
        "how the MTA providers are in every running container; change their schedule",
        providers,
        _steering,
    ),
)
