"""Findings: what workers report, what people do to them, lists and figures."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from ic3.analytics.severity import confidence_percent
from ic3.domain.acts import Actor
from ic3.domain.figures import Said, Subject
from ic3.domain.findings import (
    FLAP_WINDOW,
    OFF_DELAYS,
    PRIORS,
    Finding,
    FindingCount,
    FindingFilter,
    FindingKind,
    FindingKpi,
    FindingState,
    Mean,
    Precision,
    PrecisionView,
    Sighting,
    Verdict,
    prior_of,
    priority_of,
    wilson,
)
from ic3.domain.work_orders import Order, State
from ic3.errors import ApiError
from ic3.store.audit import record
from ic3.store.pool import Connection, Database
from ic3.store.work_orders import NewOrder, create

EXPORT_PAGE: Final = 1000
KEPT_DAYS: Final = 1095
EVIDENCE_LIMIT_BYTES: Final = 32_768

# The newest row of each cause that is active, or was seen within the flap window.
AGAIN: Final = """
SELECT given.number, kept.id, kept.state
FROM jsonb_to_recordset(%(rows)s) AS given (number int, asset_id int, dma_id text, cause text)
CROSS JOIN LATERAL (
    SELECT f.id, f.state, f.last_seen_at FROM ic3_finding f
    WHERE f.asset_id = given.asset_id AND f.cause = given.cause
        AND (f.state IN ('open', 'acknowledged', 'in_work') OR f.last_seen_at >= %(recent_at)s)
    UNION ALL
    SELECT f.id, f.state, f.last_seen_at FROM ic3_finding f
    WHERE f.dma_id = given.dma_id AND f.cause = given.cause
        AND (f.state IN ('open', 'acknowledged', 'in_work') OR f.last_seen_at >= %(recent_at)s)
    ORDER BY last_seen_at DESC LIMIT 1) kept
"""
# Evidence and sentence are those of the worst moment. A dismissed one only stays remembered.
SEEN_AGAIN: Final = """
UPDATE ic3_finding AS kept SET
    last_seen_at = %(at)s,
    state = CASE kept.state WHEN 'closed' THEN
        CASE WHEN kept.work_order_id IS NULL THEN 'open' ELSE 'in_work' END ELSE kept.state END,
    closed_at = CASE kept.state WHEN 'closed' THEN NULL ELSE kept.closed_at END,
    flaps = kept.flaps + (kept.state = 'closed')::int,
    version = kept.version + (kept.state = 'closed')::int,
    severity = given.severity, confidence = given.confidence,
    sentence = CASE WHEN given.severity >= kept.peak_severity AND kept.state <> 'dismissed'
        THEN given.sentence ELSE kept.sentence END,
    evidence = CASE WHEN given.severity >= kept.peak_severity AND kept.state <> 'dismissed'
        THEN given.evidence ELSE kept.evidence END,
    peak_severity = greatest(kept.peak_severity, given.severity),
    peak_confidence = greatest(kept.peak_confidence, given.confidence),
    since = least(kept.since, given.since), domain = given.domain
FROM jsonb_to_recordset(%(rows)s) AS given (id bigint, severity double precision,
    confidence double precision, sentence text, evidence jsonb, since timestamptz, domain text)
WHERE kept.id = given.id
"""
OPEN: Final = """
INSERT INTO ic3_finding (kind, cause, asset_id, serial, category, tag, dma_id, domain, opened_at,
    since, last_seen_at, state, severity, peak_severity, confidence, peak_confidence, sentence,
    evidence)
SELECT kind, cause, asset_id, serial, category, tag, dma_id, domain, %(at)s, since, %(at)s, 'open',
    severity, severity, confidence, confidence, sentence, evidence
FROM jsonb_to_recordset(%(rows)s) AS given (kind text, cause text, asset_id int, serial text,
    category text, tag text, dma_id text, domain text, since timestamptz,
    severity double precision, confidence double precision, sentence text, evidence jsonb)
ORDER BY asset_id, dma_id, cause
ON CONFLICT DO NOTHING
RETURNING id
"""
CLOSE: Final = """
UPDATE ic3_finding SET state = 'closed', closed_at = %(at)s, version = version + 1
WHERE kind = %(kind)s AND state IN ('open', 'acknowledged', 'in_work')
    AND last_seen_at <= %(gone_at)s
    AND (asset_id = ANY(%(asset_ids)s::int[]) OR dma_id = ANY(%(dma_ids)s::text[]))
RETURNING id, work_order_id
"""
# Its order is told that the value is back, as those of alarms are.
SET_ORDERS_RETURNED: Final = """
UPDATE ic3_work_order SET returned_at = %(at)s
WHERE id = ANY(%(ids)s::bigint[]) AND state NOT IN ('verified', 'closed', 'cancelled')
"""
PRECISION: Final = """
SELECT kind, category, count(*) FILTER (WHERE verdict = 'true_alarm'),
    count(*) FILTER (WHERE verdict = 'false_alarm')
FROM ic3_finding WHERE verdict IS NOT NULL
GROUP BY kind, category ORDER BY kind, category
"""
ONE: Final = """
SELECT id, version, kind, cause, state, sentence, severity, peak_severity, confidence,
    peak_confidence, asset_id, serial, category, tag, dma_id, domain, opened_at, since,
    last_seen_at, closed_at, flaps, acknowledged_at, acknowledged_by, verdict, verdict_by,
    verdict_at, verdict_note, work_order_id
FROM ic3_finding
WHERE id = %(id)s AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
"""
LOCK: Final = """
SELECT id, version, kind, cause, state, sentence, severity, peak_severity, confidence,
    peak_confidence, asset_id, serial, category, tag, dma_id, domain, opened_at, since,
    last_seen_at, closed_at, flaps, acknowledged_at, acknowledged_by, verdict, verdict_by,
    verdict_at, verdict_note, work_order_id
FROM ic3_finding
WHERE id = %(id)s AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
FOR UPDATE
"""
EVIDENCE: Final = "SELECT evidence FROM ic3_finding WHERE id = %(id)s"
PAGE: Final = """
SELECT id, version, kind, cause, state, sentence, severity, peak_severity, confidence,
    peak_confidence, asset_id, serial, category, tag, dma_id, domain, opened_at, since,
    last_seen_at, closed_at, flaps, acknowledged_at, acknowledged_by, verdict, verdict_by,
    verdict_at, verdict_note, work_order_id
FROM ic3_finding
WHERE id < %(before)s
    AND (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]))
    AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
    AND (%(verdicts)s::text[] IS NULL OR verdict = ANY(%(verdicts)s::text[]))
    AND (%(active)s::boolean IS NULL
        OR (state IN ('open', 'acknowledged', 'in_work')) = %(active)s::boolean)
    AND (%(serial)s::text IS NULL OR serial = %(serial)s::text)
    AND (%(category)s::text IS NULL OR category = %(category)s::text)
    AND (%(domain)s::text IS NULL OR domain = %(domain)s::text)
    AND (%(dma_id)s::text IS NULL OR dma_id = %(dma_id)s::text)
    AND (%(least_severity)s::float8 IS NULL OR severity >= %(least_severity)s::float8)
    AND (%(least_confidence)s::float8 IS NULL OR confidence >= %(least_confidence)s::float8)
    AND (%(from_at)s::timestamptz IS NULL OR opened_at >= %(from_at)s::timestamptz)
    AND (%(until_at)s::timestamptz IS NULL OR opened_at < %(until_at)s::timestamptz)
ORDER BY id DESC LIMIT %(limit)s
"""
SAVE: Final = """
UPDATE ic3_finding SET version = version + 1, state = %(state)s,
    acknowledged_at = %(acknowledged_at)s, acknowledged_by = %(acknowledged_by)s,
    verdict = %(verdict)s, verdict_by = %(verdict_by)s, verdict_at = %(verdict_at)s,
    verdict_note = %(verdict_note)s, work_order_id = %(work_order_id)s
WHERE id = %(id)s
"""
COUNTS: Final = """
SELECT kind, state, count(*) FROM ic3_finding
WHERE (%(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[]))
    AND (state IN ('open', 'acknowledged', 'in_work')
        OR (opened_at >= %(from_at)s AND opened_at < %(until_at)s))
GROUP BY kind, state ORDER BY kind, state
"""
FIGURES: Final = """
SELECT avg(confidence) FILTER (WHERE active), count(*) FILTER (WHERE active),
    extract(epoch FROM avg(closed_at - opened_at) FILTER (
        WHERE spanned AND verdict = 'true_alarm'))::float8,
    count(closed_at) FILTER (WHERE spanned AND verdict = 'true_alarm'),
    extract(epoch FROM avg(opened_at - since) FILTER (
        WHERE spanned AND verdict = 'true_alarm'))::float8,
    count(*) FILTER (WHERE spanned AND verdict = 'true_alarm'),
    count(*) FILTER (WHERE spanned AND verdict = 'false_alarm'),
    count(*) FILTER (WHERE spanned AND verdict = 'unsure')
FROM (SELECT f.*, state IN ('open', 'acknowledged', 'in_work') AS active,
        opened_at >= %(from_at)s AND opened_at < %(until_at)s AS spanned
    FROM ic3_finding f
    WHERE %(scope)s::text[] IS NULL OR domain = ANY(%(scope)s::text[])) f
WHERE active OR spanned
"""
# What people said of stretches of an asset, for the models that learn from it.
JUDGED: Final = """
SELECT id, asset_id, serial, verdict, since, last_seen_at, verdict_at FROM ic3_finding
WHERE kind = %(kind)s AND verdict IS NOT NULL AND verdict_at > %(after)s AND asset_id IS NOT NULL
ORDER BY id
"""
WORST_NOW: Final = """
SELECT DISTINCT ON (asset_id, dma_id) id, asset_id, serial, category, dma_id, domain, severity,
    confidence, sentence
FROM ic3_finding WHERE state IN ('open', 'acknowledged', 'in_work')
ORDER BY asset_id, dma_id, severity DESC
"""
TRIM: Final = """
DELETE FROM ic3_finding WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ic3_finding
    WHERE opened_at < %(before)s AND state IN ('closed', 'dismissed') LIMIT 5000))
"""

COLUMNS: Final = tuple(each.name for each in msgspec.structs.fields(Finding))
BEYOND: Final = 2**63 - 1
# A list is planned for the filters it has.
PLAN_FOR_FILTERS: Final = "SET LOCAL plan_cache_mode = force_custom_plan"


class Round(NamedTuple):
    """What one kind of analysis saw in one round.

    Attributes:
        asset_ids: Assets that were judged: what is not seen on them any more goes. Of those that
            could not be judged nothing closes.
        dma_ids: Districts likewise.
    """

    kind: FindingKind
    at: datetime
    sightings: Sequence[Sighting]
    asset_ids: Collection[int] = ()
    dma_ids: Collection[str] = ()


class Reported(NamedTuple):
    """What a round did to the findings."""

    opened: int = 0
    updated: int = 0
    closed: int = 0


class Judged(NamedTuple):
    """A stretch of an asset that somebody judged."""

    id: int
    asset_id: int
    serial: str
    verdict: Verdict
    since: datetime
    until: datetime
    at: datetime


class FindingStore:
    """Reads and changes findings."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def report(self, round_: Round) -> Reported:
        """Take what was seen: open, update, reopen and close, in one transaction."""
        async with self.database.connection() as connection:
            precisions = await _precisions(connection)
            again, new = await _parted(connection, round_, precisions)
            if again:
                await connection.execute(
                    SEEN_AGAIN, {"rows": Jsonb(again), "at": round_.at}
                )  # fmt: skip
            opened = 0
            if new:
                cursor = await connection.execute(OPEN, {"rows": Jsonb(new), "at": round_.at})
                opened = len(await cursor.fetchall())
            closed = await _close(connection, round_)
        return Reported(opened, len(again), closed)

    async def page(
        self, wanted: FindingFilter, *, limit: int, before: int | None = None
    ) -> list[Finding]:
        """Findings, newest first.

        Args:
            wanted: Which.
            limit: How many at most.
            before: Number of the last of the page before.
        """
        values = {**msgspec.structs.asdict(wanted), "limit": limit, "before": before or BEYOND}
        async with self.database.connection() as connection:
            await connection.execute(PLAN_FOR_FILTERS)
            cursor = await connection.execute(PAGE, values)
            return [_finding(row) for row in await cursor.fetchall()]

    async def pages(self, wanted: FindingFilter) -> AsyncIterator[list[Finding]]:
        """All of them, a thousand at a time, each page a statement of its own."""
        before, full = None, True
        while full:
            page = await self.page(wanted, limit=EXPORT_PAGE, before=before)
            yield page
            full = len(page) == EXPORT_PAGE
            before = page[-1].id if page else None

    async def one(self, finding_id: int, scope: list[str] | None) -> tuple[Finding, Any]:
        """A finding and its evidence.

        Raises:
            ApiError: 404: there is none, or not for this user.
        """
        async with self.database.connection() as connection:
            finding = await _found(connection, ONE, finding_id, scope)
            row = await (await connection.execute(EVIDENCE, {"id": finding_id})).fetchone()
        return finding, None if row is None else row[0]

    async def kpi(
        self, scope: list[str] | None, *, from_at: datetime, until_at: datetime
    ) -> FindingKpi:
        """Figures of those opened in a span, and of those that are active."""
        asked = {"scope": scope, "from_at": from_at, "until_at": until_at}
        async with self.database.connection() as connection:
            counts = await (await connection.execute(COUNTS, asked)).fetchall()
            row = await (await connection.execute(FIGURES, asked)).fetchone()
            precisions = await _precisions(connection)
        assert row is not None
        confidence, active, repair_s, repaired, detect_s, true, false, unsure = row
        return FindingKpi(
            from_at=from_at, until_at=until_at, active=active,
            mean_confidence=Mean(confidence, "%", active), mttr=Mean(repair_s, "s", repaired),
            mean_time_to_detect=Mean(detect_s, "s", true),
            false_positive_rate=wilson(false, true + false), judged=true + false + unsure,
            unsure=unsure,
            counts=[
                FindingCount(FindingKind(kind), FindingState(state), number)
                for kind, state, number in counts
            ],
            precision=[_precision_view(each) for each in precisions.values()],
        )  # fmt: skip

    async def judged(self, kind: FindingKind, *, after: datetime) -> list[Judged]:
        """Stretches of assets that somebody judged since."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(JUDGED, {"kind": kind, "after": after})
            return [
                Judged(number, asset_id, serial, Verdict(verdict), *times)
                for number, asset_id, serial, verdict, *times in await cursor.fetchall()
            ]

    async def worst(self) -> dict[Subject, tuple[float, float, Said]]:
        """The worst active finding of each asset and district, as figures for alarm rules."""
        async with self.database.connection() as connection:
            rows = await (await connection.execute(WORST_NOW)).fetchall()
        found: dict[Subject, tuple[float, float, Said]] = {}
        for number, asset_id, serial, category, dma_id, domain, severity, confidence, said in rows:
            subject = (
                Subject("dma", dma_id, domain, "dma", dma_id) if asset_id is None
                else Subject("asset", serial, domain, category)
            )  # fmt: skip
            found[subject] = (severity, confidence, Said(said, {"finding_id": number}))
        return found

    async def trim(self, before: datetime) -> int:
        """Let go of closed ones that are older, five thousand at most."""
        async with self.database.connection() as connection:
            return (await connection.execute(TRIM, {"before": before})).rowcount


async def acknowledge(
    connection: Connection, actor: Actor, scope: list[str] | None, finding_id: int, *, at: datetime
) -> Finding:
    """Somebody knows; a second time changes nothing.

    Raises:
        ApiError: 404: there is none. 409: it is over.
    """
    finding = await _found(connection, LOCK, finding_id, scope)
    if finding.state not in {FindingState.OPEN, FindingState.ACKNOWLEDGED, FindingState.IN_WORK}:
        raise ApiError(409, f"finding is {finding.state}", "only active findings are acknowledged")
    if finding.acknowledged_at is not None:
        return finding
    state = FindingState.ACKNOWLEDGED if finding.state is FindingState.OPEN else finding.state
    return await _save(
        connection, actor, finding, "acknowledged", state=state, acknowledged_at=at,
        acknowledged_by=actor.who,
    )  # fmt: skip


async def judge(
    connection: Connection, actor: Actor, scope: list[str] | None, finding_id: int,
    verdict: Verdict, note: str | None, *, at: datetime,
) -> Finding:  # fmt: skip
    """Say whether a finding is true; the last word counts, each is in the audit log.

    A false one is dismissed. One that is found true, or unsure, after it was dismissed is open
    again where it was seen within the flap window, otherwise closed.

    Raises:
        ApiError: 404: there is none.
    """
    finding = await _found(connection, LOCK, finding_id, scope)
    state = finding.state
    if verdict is Verdict.FALSE_ALARM and state is not FindingState.CLOSED:
        state = FindingState.DISMISSED
    elif verdict is not Verdict.FALSE_ALARM and state is FindingState.DISMISSED:
        recent = finding.last_seen_at >= at - FLAP_WINDOW
        state = FindingState.OPEN if recent else FindingState.CLOSED
    return await _save(
        connection, actor, finding, "judged", state=state, verdict=verdict, verdict_by=actor.who,
        verdict_at=at, verdict_note=note,
    )  # fmt: skip


async def order_work(
    connection: Connection, actor: Actor, scope: list[str] | None, finding_id: int, *, at: datetime
) -> tuple[Finding, Order]:
    """Draft a work order from a finding, with its evidence as it is now.

    Raises:
        ApiError: 404: there is none. 409: it has one, or is over.
    """
    finding = await _found(connection, LOCK, finding_id, scope)
    if finding.work_order_id is not None:
        raise ApiError(
            409, "order exists", f"finding {finding.id} has work order {finding.work_order_id}"
        )
    if finding.state is FindingState.DISMISSED:
        raise ApiError(409, "finding is dismissed", "judge it otherwise before work is ordered")
    row = await (await connection.execute(EVIDENCE, {"id": finding.id})).fetchone()
    order = await create(
        connection, actor, scope,
        NewOrder(
            _one_line(finding.sentence)[:200], priority_of(finding.severity), State.DRAFT,
            serial=finding.serial_number, domain=finding.domain, failed_at=finding.since,
            evidence={"taken_at": at.isoformat(), "finding": msgspec.to_builtins(finding),
                      "evidence": None if row is None else row[0]},
        ),
        at=at,
    )  # fmt: skip
    active = finding.state is not FindingState.CLOSED
    state = FindingState.IN_WORK if active else finding.state
    saved = await _save(
        connection, actor, finding, "work ordered", state=state, work_order_id=order.id
    )
    return saved, order


async def _parted(
    connection: Connection, round_: Round, precisions: Mapping[tuple[str, str | None], Precision]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of what is known already and of what is new."""
    rows = [_row(number, each, precisions) for number, each in enumerate(round_.sightings)]
    if not rows:
        return [], []
    keys = [{name: each[name] for name in ("number", "asset_id", "dma_id", "cause")}
            for each in rows]  # fmt: skip
    cursor = await connection.execute(
        AGAIN, {"rows": Jsonb(keys), "recent_at": round_.at - FLAP_WINDOW}
    )
    known = {number: finding_id for number, finding_id, _ in await cursor.fetchall()}
    again = [{**each, "id": known[each["number"]]} for each in rows if each["number"] in known]
    return (
        sorted(again, key=lambda each: each["id"]),
        [each for each in rows if each["number"] not in known],
    )


def _row(
    number: int, sighting: Sighting, precisions: Mapping[tuple[str, str | None], Precision]
) -> dict[str, Any]:
    category = "dma" if sighting.dma_id is not None else sighting.category
    key = (sighting.kind.value, category)
    precision = precisions.get(key) or Precision(sighting.kind, category, 0, 0)
    row: dict[str, Any] = {
        **_plain(sighting), "number": number, "category": category,
        "severity": min(10.0, max(0.0, sighting.severity)),
        "confidence": confidence_percent(
            true_findings=precision.true, false_findings=precision.false,
            prior=prior_of(sighting), trust=sighting.trust, coverage=sighting.coverage,
        ),
    }  # fmt: skip
    if len(msgspec.json.encode(row["evidence"])) > EVIDENCE_LIMIT_BYTES:
        row["evidence"] = {"left_out": "larger than 32 KiB"}
    return row


def _precision_view(precision: Precision) -> PrecisionView:
    percent = confidence_percent(
        true_findings=precision.true, false_findings=precision.false,
        prior=PRIORS[precision.kind], trust=1.0, coverage=1.0,
    )  # fmt: skip
    return PrecisionView(
        precision.kind, precision.category, percent / 100, precision.true, precision.false
    )


def _plain(sighting: Sighting) -> dict[str, Any]:
    """As JSON can say it: what is not a number is null."""
    return dict(msgspec.json.decode(msgspec.json.encode(sighting)))


async def _close(connection: Connection, round_: Round) -> int:
    if not (round_.asset_ids or round_.dma_ids):
        return 0
    cursor = await connection.execute(
        CLOSE,
        {
            "kind": round_.kind, "at": round_.at, "gone_at": round_.at - OFF_DELAYS[round_.kind],
            "asset_ids": sorted(round_.asset_ids), "dma_ids": sorted(round_.dma_ids),
        },
    )  # fmt: skip
    closed = await cursor.fetchall()
    orders = sorted(order for _, order in closed if order is not None)
    if orders:
        await connection.execute(SET_ORDERS_RETURNED, {"ids": orders, "at": round_.at})
    return len(closed)


async def _precisions(connection: Connection) -> dict[tuple[str, str | None], Precision]:
    rows = await (await connection.execute(PRECISION)).fetchall()
    return {
        (kind, category): Precision(FindingKind(kind), category, true, false)
        for kind, category, true, false in rows
    }


async def _found(
    connection: Connection, statement: Any, finding_id: int, scope: list[str] | None
) -> Finding:
    row = await (
        await connection.execute(statement, {"id": finding_id, "scope": scope})
    ).fetchone()  # fmt: skip
    if row is None:
        raise ApiError(404, "finding not found", "there is no such finding")
    return _finding(row)


async def _save(
    connection: Connection, actor: Actor, before: Finding, what: str, **changes: Any
) -> Finding:
    """Write a changed finding with its row of the audit log."""
    after = msgspec.structs.replace(before, version=before.version + 1, **changes)
    values = msgspec.structs.asdict(after)
    await connection.execute(SAVE, values)
    was = msgspec.to_builtins(before)
    now = msgspec.to_builtins(after)
    differing = [name for name in changes if was[name] != now[name]]
    await record(
        connection, actor, f"finding {what}", f"finding {before.id}",
        before={name: was[name] for name in differing},
        after={name: now[name] for name in differing},
    )  # fmt: skip
    return after


def _finding(row: Sequence[Any]) -> Finding:
    return msgspec.convert(dict(zip(COLUMNS, row, strict=True)), Finding)


def _one_line(words: str) -> str:
    return "".join(each if each.isprintable() else " " for each in words)
