"""Commands of the analytics: what they list, show and refuse, and a day judged from history."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
from analysed import AnalysedPlant
from driven import ic3_here

from ic3.store.presence import HOLD, LOCK_KEY

BEGIN = datetime(2026, 6, 1, 18, 30, tzinfo=UTC)
FINDING = """
INSERT INTO ic3_finding (kind, cause, asset_id, serial, category, opened_at, since, last_seen_at,
    state, severity, peak_severity, confidence, peak_confidence, sentence, evidence)
VALUES ('process', 'deviates', 1, 'A_Pump_1', 'pump', now(), now(), now(), 'open', 5, 5, 80, 80,
    'Flow below expectation', '{"score": 2.5}')
"""


def test_findings_pumps_and_districts_are_listed_and_the_past_is_judged(
    own_place: Path, fresh_dsn: str
) -> None:
    plant = AnalysedPlant(fresh_dsn)
    plant.asset(1, "A_Pump_1", "pump", "PUMP_STS", "PUMP_CURR", rating="7.5 kW")
    day = {"PUMP_STS": np.ones(576), "PUMP_CURR": np.linspace(10.0, 11.0, 576)}
    plant.put(1, BEGIN, day)
    plant.sql(FINDING)
    plant.close()

    def run(*words: str, code: int = 0) -> str:
        done = ic3_here(own_place, *words, DATABASE_URL=fresh_dsn)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return str(done.stdout) if code == 0 else str(done.stderr)

    assert "Flow below expectation" in run("findings")
    number = str(json.loads(run("findings", "--json"))["findings"][0]["id"])
    assert json.loads(run("findings", "show", number, "--json"))["evidence"] == {"score": 2.5}
    assert "finding not found" in run("findings", "show", "4711", code=1)
    span = ("--from", "2026-06-02T18:30:00Z", "--to", "2026-06-03T18:30:00Z")
    with psycopg.connect(fresh_dsn, autocommit=True) as server:
        server.execute(HOLD, {"key": LOCK_KEY})
        assert "a server runs on this database" in run("analytics", "run", *span, code=1)
    judged = json.loads(run("analytics", "run", *span, "--json"))["runs"]
    assert [(each["worker"], each["judged"]) for each in judged] == [
        ("anomaly", 1), ("pump-health", 1), ("nrw", 0),
    ]  # fmt: skip
    late = ("--from", "2026-06-09T00:00:00Z", *span[2:])
    assert "--from must be before --to" in run("analytics", "run", *late, code=1)
    assert json.loads(run("pumps", "--json")) == {"pumps": []}
    assert json.loads(run("nrw", "--json")) == {"districts": []}
    assert "there are no figures of DMA-1" in run("nrw", "show", "DMA-1", code=1)
