"""Operations on the suppression list: the addresses that one had better not write to."""

from __future__ import annotations

from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, Field

from bitmail.api.asking import Arguments, NoArguments
from bitmail.api.operations import AnyOperation, Call, Operation, PathParameter
from bitmail.api.refusals import NotThere
from bitmail.api.sending import GROUP
from bitmail.current import off_loop, service
from bitmail.tokens import Scope
from mta.outcomes import Status


class Suppression(BaseModel):
    """An address that one had better not write to."""

    model_config = ConfigDict(extra="forbid")

    id: int
    address: str
    status: Status = Field(description="`bounced` or `complained`.")
    reason: str
    at: float = Field(description="Seconds since 1970.")


class Suppressions(BaseModel):
    """A page of the list."""

    model_config = ConfigDict(extra="forbid")

    suppressions: list[Suppression]


class Before(Arguments):
    """Where a page begins."""

    before: int | None = Field(
        default=None,
        ge=1,
        lt=10**18,
        description="The last `id` of the page above; leave it out for the newest.",
    )


async def suppressions(call: Call[Before, None]) -> Suppressions:
    """The addresses that one had better not write to, newest first."""
    found = await off_loop(service().model.suppressions.page, call.user, call.arguments.before)
    return Suppressions(
        suppressions=[
            Suppression(id=one.id, address=one.address, status=one.status, reason=one.reason, at=one.at)
            for one in found
        ]
    )


async def lift(call: Call[NoArguments, None]) -> None:
    """Take an address off that list."""
    if not await off_loop(service().model.lift, call.user, call.path("address")):
        raise NotThere("This address is not on your list.")


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        name="suppressions",
        group=GROUP,
        method="GET",
        path="/api/suppressions",
        summary="List addresses that bounced or complained",
        description="Newest first, 50 a page. Mail to them is refused unless it is sent anyway.",
        needs=Scope.READ,
        call=suppressions,
        arguments=Before,
        answer=Suppressions,
    ),
    Operation(
        name="lift",
        group=GROUP,
        method="DELETE",
        path="/api/suppressions/{address:text}",
        summary="Take an address off that list",
        needs=Scope.SEND,
        call=lift,
        answer=type(None),
        status=HTTPStatus.NO_CONTENT,
        path_parameters={"address": PathParameter(description="As the list has it.", variable="ADDRESS")},
        refusals=frozenset({HTTPStatus.NOT_FOUND}),
    ),
)
