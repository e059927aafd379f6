"""Operations on webhooks: the addresses that a person has told what becomes of their mail."""

from __future__ import annotations

import re
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field

from bitmail.api.asking import NoArguments, json_body
from bitmail.api.operations import AnyOperation, Call, Operation, PathParameter
from bitmail.api.refusals import NotThere
from bitmail.current import off_loop, service
from bitmail.tokens import Scope
from bitmail.webhooks import EVERY
from mta.outcomes import Status

NONE = "There is no such webhook."
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class Webhook(BaseModel):
    """An address that is told what becomes of mail."""

    model_config = ConfigDict(extra="forbid")

    id: int
    url: str
    statuses: list[Status] = Field(description="What it is told.")
    created: float = Field(description="Seconds since 1970.")
    failing_since: float | None = Field(description="Seconds since 1970; null while it does not fail.")
    error: str = Field(description="Why it failed the last time, as a sentence, or empty.")
    is_off: bool = Field(description="It is called no more.")


class Webhooks(BaseModel):
    """A person's webhooks, oldest first."""

    model_config = ConfigDict(extra="forbid")

    webhooks: list[Webhook]


class MakeWebhook(BaseModel):
    """A webhook to make."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="Where to call, by https.")
    statuses: list[Status] = Field(default=list(EVERY), max_length=20, description="What to tell.")


class MadeWebhook(BaseModel):
    """A webhook that was made."""

    model_config = ConfigDict(extra="forbid")

    webhook: int
    secret: str = Field(description="Signs what it is told; it is in this answer and in no other.")


async def webhooks(call: Call[NoArguments, None]) -> Webhooks:
    """The addresses that are told what becomes of this person's mail."""
    found = await off_loop(service().model.webhooks.of, call.user)
    return Webhooks(
        webhooks=[
            Webhook(
                id=one.id,
                url=one.url,
                statuses=sorted(one.statuses),
                created=one.created,
                failing_since=one.failing_since or None,
                error=one.error,
                is_off=one.is_off,
            )
            for one in found
        ]
    )


async def make_webhook(call: Call[NoArguments, MakeWebhook]) -> MadeWebhook:
    """Have an address told."""
    wanted = call.body
    made, secret = await off_loop(service().model.make_webhook, call.user, wanted.url, wanted.statuses)
    return MadeWebhook(webhook=made.id, secret=secret)


class TestedWebhook(BaseModel):
    """What a webhook made of a test."""

    model_config = ConfigDict(extra="forbid")

    taken: bool = Field(description="It answered 200 to 299.")
    error: str = Field(description="Why it did not take it, as a sentence, or empty.")


async def test_webhook(call: Call[NoArguments, None]) -> TestedWebhook:
    """Call an address now, with a test that is about no mail."""
    webhook = await off_loop(service().model.webhooks.of_user, call.user, _id(call))
    if webhook is None:
        raise NotThere(NONE)
    answer = await service().caller.try_out(webhook)
    return TestedWebhook(taken=not answer.reason, error=answer.reason)


async def switch_on_webhook(call: Call[NoArguments, None]) -> None:
    """Call an address again that was switched off."""
    if not await off_loop(service().model.switch_on_webhook, call.user, _id(call)):
        raise NotThere(NONE)


async def end_webhook(call: Call[NoArguments, None]) -> None:
    """Tell an address nothing any more."""
    if not await off_loop(service().model.end_webhook, call.user, _id(call)):
        raise NotThere(NONE)


def _id(call: Call[NoArguments, None]) -> int:
    id = call.path("id")
    if not _NUMBER.fullmatch(id):
        raise NotThere(NONE)
    return int(id)


GROUP = "Be told what became of it"
_ID = {"id": PathParameter(description="The webhook's `id`.", variable="WEBHOOK")}
OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        name="webhooks",
        group=GROUP,
        method="GET",
        path="/api/webhooks",
        summary="List webhooks",
        needs=Scope.WEBHOOKS,
        call=webhooks,
        answer=Webhooks,
    ),
    Operation(
        name="makewebhook",
        group=GROUP,
        method="POST",
        path="/api/webhooks",
        summary="Have an address told",
        needs=Scope.WEBHOOKS,
        call=make_webhook,
        bodies=(json_body(MakeWebhook, {"url": "https://example.com/told", "statuses": ["bounced"]}),),
        answer=MadeWebhook,
        status=HTTPStatus.CREATED,
    ),
    Operation(
        name="testwebhook",
        group=GROUP,
        method="POST",
        path="/api/webhooks/{id}/test",
        summary="Send it a test",
        description="It is called at once and signed as ever, with the type `webhook.test`; also one that is off.",
        needs=Scope.WEBHOOKS,
        call=test_webhook,
        answer=TestedWebhook,
        path_parameters=_ID,
        refusals=frozenset({HTTPStatus.NOT_FOUND}),
    ),
    Operation(
        name="switchonwebhook",
        group=GROUP,
        method="POST",
        path="/api/webhooks/{id}/on",
        summary="Switch it on again",
        description="It is told what happens from now on. One that is on stays as it is.",
        needs=Scope.WEBHOOKS,
        call=switch_on_webhook,
        answer=type(None),
        status=HTTPStatus.NO_CONTENT,
        path_parameters=_ID,
        refusals=frozenset({HTTPStatus.NOT_FOUND}),
    ),
    Operation(
        name="endwebhook",
        group=GROUP,
        method="DELETE",
        path="/api/webhooks/{id}",
        summary="Tell it nothing any more",
        needs=Scope.WEBHOOKS,
        call=end_webhook,
        answer=type(None),
        status=HTTPStatus.NO_CONTENT,
        path_parameters=_ID,
        refusals=frozenset({HTTPStatus.NOT_FOUND}),
    ),
)
