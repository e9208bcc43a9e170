"""`ic3 orders`: what it lists and what it refuses."""

import json
from pathlib import Path

import psycopg
from driven import ic3_here

FILL = """
INSERT INTO ic3_work_order (kind, state, priority, title, created_at, created_by, updated_at,
    start_due_at, due_at, failed_at)
SELECT 'corrective', state, 2, 'Leak ' || state, now(), 'asha', now(), now() - interval '1 hour',
    now() + interval '1 day', now() FROM unnest(ARRAY['open', 'closed']) state;
INSERT INTO ic3_work_order_event (order_id, version, at, who, what, to_state)
SELECT id, 1, now(), 'asha', 'created', state FROM ic3_work_order;
"""


def test_orders_are_listed_and_shown(own_place: Path, fresh_dsn: str) -> None:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute(FILL.encode())

    def run(*words: str, code: int = 0) -> str:
        done = ic3_here(own_place, "orders", *words, DATABASE_URL=fresh_dsn)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return str(done.stdout) if code == 0 else str(done.stderr)

    assert "Leak open" in run()
    assert "overdue" in run()
    assert "Leak closed" not in run()
    listed = json.loads(run("--all", "--json"))["orders"]
    assert {each["title"] for each in listed} == {"Leak open", "Leak closed"}
    number = str(listed[0]["id"])
    assert "created" in run("show", number)
    assert json.loads(run("show", number, "--json"))["events"][0]["who"] == "asha"
    assert "work order not found" in run("show", "4711", code=1)
