"""Findings over HTTP: lists, verdicts and their figures, acts, scope."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from serving import NOW, Answer, Site, serving

from ic3.domain.analytics_runs import SensorTrust
from ic3.domain.findings import PRIORS, FindingKind, Sighting
from ic3.domain.users import Role
from ic3.store.analytics import AnalyticsStore
from ic3.store.findings import FindingStore, Round

LIST = "/api/ai/anomalies"
SEEN = Sighting(
    kind=FindingKind.PROCESS, cause="process:PUMP_FLOW", since=NOW - timedelta(minutes=20),
    severity=7.5, sentence="=Pump flow 12 m³/h below expectation", asset_id=1, serial="A_Pump_1",
    category="pump", tag="PUMP_FLOW", domain="DEL-D01", evidence={"expected": 90.5},
)  # fmt: skip
OTHER = msgspec.structs.replace(SEEN, asset_id=2, serial="Z_Pump_2", domain="DEL-D09")
SCOPES = {"ravi": frozenset({"DEL-D01"})}
ASSETS = """
INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain)
VALUES (1, 'A_Pump_1', 'pump', 'DEL-D01'), (2, 'Z_Pump_2', 'pump', 'DEL-D09')
"""


@pytest.fixture
async def found(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with a finding in each of two domains; ravi sees one of them."""
    async with serving(fresh_dsn, scopes=SCOPES) as site:
        async with site.database.connection() as connection:
            await connection.execute(ASSETS)
        store = FindingStore(site.database)
        await store.report(Round(FindingKind.PROCESS, NOW, [SEEN, OTHER], (1, 2)))
        yield site


async def act(
    site: Site, path: str, body: object = None, *, role: Role = Role.OPERATOR, who: str = "asha"
) -> Answer:
    content = b"" if body is None else json.dumps(body).encode()
    return await site.ask(
        "POST", path, token=site.token(role, who), body=content,
        headers=[("Content-Type", "application/json")],
    )  # fmt: skip


async def read(site: Site, path: str, who: str = "asha") -> Any:
    answer = await site.ask("GET", path, token=site.token(Role.VIEWER, who))
    assert answer.status == 200, answer.body
    return answer.json()


async def numbers(site: Site, query: str = "", who: str = "asha") -> list[int]:
    return [each["id"] for each in (await read(site, f"{LIST}{query}", who))["findings"]]


async def test_a_list_is_filtered_and_walked_page_by_page(found: Site) -> None:
    both = await numbers(found)
    assert len(both) == 2
    assert await numbers(found, "?serial_number=A_Pump_1&active=true&kind=process") == both[1:]
    assert await numbers(found, "?least_severity=8") == []
    first = await found.ask("GET", f"{LIST}?limit=1", token=found.token(Role.VIEWER, "asha"))
    assert first.header("link") is not None
    cursor = first.json()["next"]
    assert await numbers(found, f"?limit=1&cursor={cursor}") == both[1:]


async def test_one_finding_comes_with_its_evidence_and_age(found: Site) -> None:
    [number] = await numbers(found, "?domain=DEL-D01")
    found.clock.advance(30)
    answer = await read(found, f"{LIST}/{number}")
    assert answer["evidence"] == {"expected": 90.5}
    assert answer["age_s"] == 30.0
    assert answer["finding"]["sentence"] == SEEN.sentence


async def test_a_verdict_moves_the_false_positive_figure(found: Site) -> None:
    [number] = await numbers(found, "?domain=DEL-D01")
    before = await read(found, f"{LIST}/kpi")
    assert before["false_positive_rate"]["of"] == 0
    answer = await act(found, f"{LIST}/{number}/verdict", {"verdict": "false_alarm", "note": "x"})
    assert (answer.status, answer.json()["state"]) == (200, "dismissed")
    after = await read(found, f"{LIST}/kpi")
    assert (after["false_positive_rate"]["value"], after["active"]) == (1.0, 1)
    assert after["precision"][0]["value"] == pytest.approx(10 * PRIORS[FindingKind.PROCESS] / 11)


async def test_an_operator_acknowledges_and_drafts_an_order(found: Site) -> None:
    [number] = await numbers(found, "?domain=DEL-D01")
    answer = await act(found, f"{LIST}/{number}/acknowledge")
    assert (answer.status, answer.json()["acknowledged_by"]) == (200, "asha")
    ordered = await act(found, f"{LIST}/{number}/work-order")
    assert ordered.status == 201
    order = await read(found, ordered.header("location") or "")
    assert order["evidence"]["evidence"] == {"expected": 90.5}
    assert (order["order"]["priority"], order["order"]["domain"]) == (2, "DEL-D01")
    assert (await act(found, f"{LIST}/{number}/work-order")).status == 409


async def test_a_viewer_judges_nothing(found: Site) -> None:
    [number] = await numbers(found, "?domain=DEL-D01")
    answer = await act(found, f"{LIST}/{number}/verdict", {"verdict": "unsure"}, role=Role.VIEWER)
    assert answer.status == 403


async def test_s19_a_finding_of_another_domain_is_as_none(found: Site) -> None:
    [mine] = await numbers(found, who="ravi")
    [other] = await numbers(found, "?domain=DEL-D09")
    assert mine != other
    for path in (f"{LIST}/{other}/verdict", f"{LIST}/999/verdict"):
        answer = await act(found, path, {"verdict": "unsure"}, who="ravi")
        assert (answer.status, answer.json()["error"]) == (404, "finding not found")
    assert (await act(found, f"{LIST}/{other}/work-order", who="ravi")).status == 404
    assert (await read(found, f"{LIST}/kpi", "ravi"))["active"] == 1


async def test_s26_a_sentence_in_csv_runs_nothing(found: Site) -> None:
    answer = await found.ask(
        "GET", f"{LIST}.csv?domain=DEL-D01", token=found.token(Role.VIEWER, "asha")
    )
    heading, row, *rest = answer.body.decode().splitlines()
    assert heading.startswith("finding,kind,cause,state,serial_number")
    assert row.endswith(",'=Pump flow 12 m³/h below expectation")
    assert rest == []


async def test_s20_trust_is_told_of_sensors_in_scope(found: Site) -> None:
    await AnalyticsStore(found.database).keep_trust(
        [
            SensorTrust(
                asset_id=number, tag_code="PUMP_FLOW", computed_at=NOW, trust=50, completeness=1,
                timeliness=1, validity=1, liveness=1, consistency=1,
            )
            for number in (1, 2)
        ]
    )  # fmt: skip
    mine = await read(found, "/api/ai/sensors?below=60", "ravi")
    assert [each["serial_number"] for each in mine["sensors"]] == ["A_Pump_1"]
    assert len((await read(found, "/api/ai/sensors"))["sensors"]) == 2
    assert await read(found, "/api/ai/runs") == {"runs": [], "next": None}
