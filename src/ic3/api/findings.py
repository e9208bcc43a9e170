"""Findings of the analytics: lists, one of them, figures, and what people do to them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from ic3.api.callers import actor_of, principal_of
from ic3.api.csv_files import csv_file, csv_pages
from ic3.api.lists import begin_of, paged
from ic3.clock import Clock
from ic3.domain.cursors import CURSOR_LIMIT, cursor_of
from ic3.domain.findings import (
    CSV_HEADINGS,
    Finding,
    FindingFilter,
    FindingKind,
    FindingKpi,
    FindingState,
    Verdict,
    csv_rows,
)
from ic3.domain.history import instant
from ic3.domain.users import Principal
from ic3.errors import ApiError, InputError
from ic3.store.findings import FindingStore, acknowledge, judge, order_work
from ic3.store.telemetry import moment

NO_NUL: Final = r"^[^\x00]*$"
MANY_LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
KPI_SPAN: Final = timedelta(days=90)
KPI_LIMIT: Final = timedelta(days=1100)

Number = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
Word = Annotated[str | None, QueryParameter(max_length=1024, pattern=NO_NUL)]
Time = Annotated[str, QueryParameter(max_length=100, description="RFC 3339 with a zone.")]
Note = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=MANY_LINES)]


class FindingPage(msgspec.Struct):
    """A page of findings, newest first; ask on with `cursor=next`."""

    findings: list[Finding]
    next: str | None


class OneFinding(msgspec.Struct):
    """A finding with its evidence.

    Attributes:
        age_s: Seconds since it last held.
        evidence: Expected, band, observed, residuals, inputs with quality, model version and the
            trend around `since`, of its worst moment.
    """

    finding: Finding
    age_s: float
    evidence: Any


class VerdictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a finding is true; the last word counts, each stays in the audit log."""

    verdict: Verdict
    note: Note | None = None


class Ordered(msgspec.Struct):
    """A work order was drafted from a finding."""

    finding: Finding
    work_order_id: int


@dataclass(frozen=True, slots=True)
class FindingDesk:
    """What the routes of findings are made of."""

    store: FindingStore
    clock: Clock


async def listed(
    request: Request[Any, Any, Any],
    finding_desk: NamedDependency[FindingDesk],
    kind: Annotated[list[FindingKind] | None, QueryParameter(max_items=5)] = None,
    states: Annotated[list[FindingState] | None, QueryParameter(name="state", max_items=5)] = None,
    verdict: Annotated[list[Verdict] | None, QueryParameter(max_items=3)] = None,
    active: Annotated[
        bool | None, QueryParameter(description="Open, acknowledged or in work; or not.")
    ] = None,
    serial_number: Word = None,
    category: Word = None,
    domain: Word = None,
    dma: Word = None,
    least_severity: Annotated[float | None, QueryParameter(ge=0, le=10)] = None,
    least_confidence: Annotated[float | None, QueryParameter(ge=0, le=100)] = None,
    begin: Annotated[Time, QueryParameter(name="from", description="Opened then or later.")] = "",
    until: Annotated[Time, QueryParameter(description="Opened before.")] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str, QueryParameter(max_length=CURSOR_LIMIT)] = "",
) -> Response[FindingPage]:
    """Findings, newest first, a page at a time; the next one is also in the header Link."""
    wanted = _wanted(
        principal_of(request), kind, states, verdict, active, serial_number, category, domain, dma,
        least_severity, least_confidence, begin, until,
    )  # fmt: skip
    before = begin_of(cursor, int) if cursor else None
    if before is not None and not 0 < before < 2**63:
        raise ApiError(422, "bad cursor", "send what the page before answered as next")
    page = await finding_desk.store.page(wanted, limit=limit, before=before)
    onward = cursor_of(page[-1].id) if len(page) == limit else None
    return paged(request, FindingPage(page, onward), onward)


async def export(
    request: Request[Any, Any, Any],
    finding_desk: NamedDependency[FindingDesk],
    kind: Annotated[list[FindingKind] | None, QueryParameter(max_items=5)] = None,
    states: Annotated[list[FindingState] | None, QueryParameter(name="state", max_items=5)] = None,
    verdict: Annotated[list[Verdict] | None, QueryParameter(max_items=3)] = None,
    active: Annotated[
        bool | None, QueryParameter(description="Open, acknowledged or in work; or not.")
    ] = None,
    serial_number: Word = None,
    category: Word = None,
    domain: Word = None,
    dma: Word = None,
    least_severity: Annotated[float | None, QueryParameter(ge=0, le=10)] = None,
    least_confidence: Annotated[float | None, QueryParameter(ge=0, le=100)] = None,
    begin: Annotated[Time, QueryParameter(name="from", description="Opened then or later.")] = "",
    until: Annotated[Time, QueryParameter(description="Opened before.")] = "",
) -> Stream:
    """All findings that a list would have, as CSV."""
    wanted = _wanted(
        principal_of(request), kind, states, verdict, active, serial_number, category, domain, dma,
        least_severity, least_confidence, begin, until,
    )  # fmt: skip
    pages = finding_desk.store.pages(wanted)
    first = await anext(pages)
    return csv_file(csv_pages(CSV_HEADINGS, csv_rows, first, pages), "findings.csv")


async def kpi(
    request: Request[Any, Any, Any],
    finding_desk: NamedDependency[FindingDesk],
    begin: Annotated[Time, QueryParameter(name="from", description="90 days before.")] = "",
    until: Annotated[Time, QueryParameter(description="Outside; now.")] = "",
) -> FindingKpi:
    """Active findings, mean confidence, MTTR, time to detect, false positives, precision."""
    until_at = moment(instant("until", until)) if until else finding_desk.clock.now()
    from_at = moment(instant("from", begin)) if begin else until_at - KPI_SPAN
    if not timedelta(0) < until_at - from_at <= KPI_LIMIT:
        raise InputError(f"from: must be before until, by at most {KPI_LIMIT.days} days")
    # Outside: what was opened at this very moment counts.
    until_at = until_at if until else until_at + timedelta(microseconds=1)
    scope = principal_of(request).scope()
    return await finding_desk.store.kpi(scope, from_at=from_at, until_at=until_at)


async def one(
    request: Request[Any, Any, Any], finding_desk: NamedDependency[FindingDesk], finding_id: Number
) -> OneFinding:
    """A finding with its evidence."""
    finding, evidence = await finding_desk.store.one(finding_id, principal_of(request).scope())
    age_s = (finding_desk.clock.now() - finding.last_seen_at).total_seconds()
    return OneFinding(finding, round(age_s, 3), evidence)


async def give_verdict(
    data: JSONBody[VerdictRequest], request: Request[Any, Any, Any],
    finding_desk: NamedDependency[FindingDesk], finding_id: Number,
) -> Finding:  # fmt: skip
    """Say whether a finding is true: the precision of its kind moves at once."""
    async with finding_desk.store.database.connection() as connection:
        return await judge(
            connection, actor_of(request), principal_of(request).scope(), finding_id,
            data.verdict, data.note, at=finding_desk.clock.now(),
        )  # fmt: skip


async def acknowledge_one(
    request: Request[Any, Any, Any], finding_desk: NamedDependency[FindingDesk], finding_id: Number
) -> Finding:
    """Say that somebody knows of an active finding."""
    async with finding_desk.store.database.connection() as connection:
        return await acknowledge(
            connection, actor_of(request), principal_of(request).scope(), finding_id,
            at=finding_desk.clock.now(),
        )  # fmt: skip


async def draft_order(
    request: Request[Any, Any, Any], finding_desk: NamedDependency[FindingDesk], finding_id: Number
) -> Response[Ordered]:
    """Draft a work order from a finding, with its evidence as it is now."""
    async with finding_desk.store.database.connection() as connection:
        finding, order = await order_work(
            connection, actor_of(request), principal_of(request).scope(), finding_id,
            at=finding_desk.clock.now(),
        )  # fmt: skip
    return Response(
        Ordered(finding, order.id), status_code=201,
        headers={"location": f"/api/work-orders/{order.id}"},
    )  # fmt: skip


def _wanted(
    principal: Principal, kinds: list[FindingKind] | None, states: list[FindingState] | None,
    verdicts: list[Verdict] | None, active: bool | None, serial: str | None,
    category: str | None, domain: str | None, dma: str | None, least_severity: float | None,
    least_confidence: float | None, begin: str, until: str,
) -> FindingFilter:  # fmt: skip
    return FindingFilter(
        kinds=_words(kinds), states=_words(states), verdicts=_words(verdicts), active=active,
        serial=serial, category=category, domain=domain, dma_id=dma,
        least_severity=least_severity, least_confidence=least_confidence,
        from_at=moment(instant("from", begin)) if begin else None,
        until_at=moment(instant("until", until)) if until else None, scope=principal.scope(),
    )  # fmt: skip


def _words(
    given: list[FindingKind] | list[FindingState] | list[Verdict] | None,
) -> list[str] | None:
    return None if given is None else [each.value for each in given]
