"""`queue`, `find`, `show`, `retry`: what becomes of mail."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import asdict

from bitmail.commands.base import Command, CommandFailed, Output, moment, opened, printable
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus
from mta.inquiry import By
from mta.spool import RETRIABLE
from mta.submission import Delivery, Submission

Answers = Mapping[tuple[str, int], str]
"""Of providers, whole, by delivery and number of the attempt."""


def queue(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """What waits in the spool."""
    with opened(settings) as service:
        backlog = service.container.backlog()
        waiting = service.container.inquiry.waiting(arguments.limit)
    age = None if backlog.oldest is None else max(0.0, time.time() - backlog.oldest)
    total = sum(backlog.waiting.values())
    if out.as_json:
        rows = [asdict(one) for one in waiting]
        out.value({"waiting": backlog.waiting, "oldest_seconds": age, "deliveries": rows})
        return ExitStatus.OK
    states = ", ".join(f"{count} {status}" for status, count in sorted(backlog.waiting.items()))
    out.value(
        None, f"{total} deliveries wait: {states}; the oldest for {age:.0f} s." if age is not None else ""
    )
    shown = [asdict(one) | {"next try": moment(one.due)} for one in waiting]
    columns = ("submission", "recipient", "status", "next try", "detail")
    out.table(shown, columns, "Nothing waits.")
    return ExitStatus.OK


def find(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Mails by what is known of them."""
    with opened(settings) as service:
        found = service.container.inquiry.find(arguments.words, By(arguments.by), arguments.limit)
    rows = [_mail(one) | {"accepted": moment(one.created)} for one in found]
    out.table(rows, ("submission", "accepted", "sender", "subject"), "No mail fits.")
    return ExitStatus.OK if found else ExitStatus.NO_INPUT


def show(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """The whole life of a mail."""
    with opened(settings) as service:
        submission = _known(service.container.submission(arguments.id.partition("-")[0]), arguments.id)
        answers = service.container.inquiry.answers(submission.id)
    _show(submission, answers, out)
    return ExitStatus.OK


def retry(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Try again what waits, failed, bounced or is uncertain of a mail, or one delivery of it."""
    id: str = arguments.id
    with opened(settings) as service:
        submission = _known(service.container.submission(id.partition("-")[0]), id)
        those = [one for one in submission.deliveries if id in (submission.id, one.id)]
        if not those:
            raise CommandFailed(f"{submission.id} has no delivery {id}.", ExitStatus.NO_INPUT)
        before = {one.id for one in those if one.status in RETRIABLE}
        for one in before:
            submission = service.container.retry(submission.id, one) or submission
        answers = service.container.inquiry.answers(submission.id)
    if not before:
        raise CommandFailed(
            f"Nothing of {id} can be tried again: only what waits, failed, bounced or is uncertain can.",
            ExitStatus.DATA,
        )
    _show(submission, answers, out)
    return ExitStatus.OK


def _known(submission: Submission | None, id: str) -> Submission:
    if submission is None:
        raise CommandFailed(f"There is no mail {printable(id)} in the spool.", ExitStatus.NO_INPUT)
    return submission


def _show(submission: Submission, answers: Answers, out: Output) -> None:
    lines = [
        f"{submission.id}  {printable(submission.subject)}",
        f"from {submission.sender or '<>'}, accepted {moment(submission.created)}",
    ]
    for one in submission.deliveries:
        lines += _lines(one, answers)
    whole = [{"delivery": id, "attempt": number, "answer": text} for (id, number), text in answers.items()]
    out.value(_mail(submission) | {"answers": whole}, *lines)


def _lines(delivery: Delivery, answers: Answers) -> list[str]:
    by = f" by {delivery.provider}" if delivery.provider else ""
    lines = [f"  {delivery.recipient}: {delivery.status}{by}, {moment(delivery.updated)}"]
    if delivery.detail:
        lines.append(f"    {printable(delivery.detail)}")
    for number, one in enumerate(delivery.attempts, 1):
        outcome = one.outcome or "running"
        said = printable(one.detail)
        lines.append(
            f"    {number}. {moment(one.at)}  {one.provider}  {outcome}  {one.ms} ms  {said}".rstrip()
        )
        if one.provider_id:
            lines.append(f"       {one.provider} calls it {printable(one.provider_id)}")
        answer = answers.get((delivery.id, number), "")
        lines += [f"       | {printable(line)}" for line in answer.splitlines()]
    return lines


def _mail(submission: Submission) -> dict[str, object]:
    whole = asdict(submission)
    return {"submission": whole.pop("id"), **whole}


def _id(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the mail, or of one delivery of it")


def _limit(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="list N at most (50)")


def _find(parser: ArgumentParser) -> None:
    parser.add_argument("words", metavar="WORDS", help="an address, the beginning of a subject, or an id")
    parser.add_argument(
        "--by", choices=[str(one) for one in By], default=str(By.ANYTHING), help="what WORDS is"
    )
    _limit(parser)


COMMANDS = (
    Command("queue", "what waits to be sent", queue, _limit),
    Command("find", "find a mail", find, _find),
    Command("show", "what became of a mail, with every attempt", show, _id),
    Command("retry", "try again what waits, failed, bounced or is uncertain", retry, _id),
)
