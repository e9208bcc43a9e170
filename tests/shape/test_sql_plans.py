"""Every SQL constant of the store is planned by PostgreSQL, on data large enough for an index.

A constant that is new stands in PARAMETERS with what it is run with, or in NOT_PLANNED with the
reason.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest
from psycopg.types.json import Jsonb

import ic3.store

NOW: Final = datetime(2026, 6, 15, 12, tzinfo=UTC)
LAST_SWEEP: Final = 500

FILL: Final = """
INSERT INTO ic3_asset_master (serialnumber, domain)
    SELECT 'asset ' || n, 'DEL-D08' FROM generate_series(1, 20000) n;
INSERT INTO ic3_parameter_master (parameter_name, param_tag_code)
    SELECT 'Parameter ' || n, 'P' || n FROM generate_series(1, 200) n;
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
    SELECT asset_id, 'P' || n, n FROM ic3_asset_master, generate_series(1, 2) n;
INSERT INTO telemetry (occurred_at, asset_id, record_id, values, occurred_nanoseconds, received_at,
    content_hash, sweep_id)
    SELECT '2026-06-13Z'::timestamptz + n * interval '5 seconds', 'asset ' || n % 20000 + 1,
        'r' || n, '{"P1": 1, "P2": 2}', 0,
        '2026-06-13Z'::timestamptz + n * interval '5 seconds', '\\x00', n / 100 + 1
    FROM generate_series(0, 49999) n;
INSERT INTO asset_latest (asset_id, record_id, occurred_at, values, occurred_nanoseconds,
    received_at, content_hash, sweep_id)
    SELECT DISTINCT ON (asset_id) asset_id, record_id, occurred_at, values, 0, received_at,
        content_hash, sweep_id FROM telemetry ORDER BY asset_id, occurred_at DESC;
INSERT INTO assets (asset_id, first_seen_at, last_seen_at)
    SELECT asset_id, received_at, received_at FROM asset_latest;
INSERT INTO ic3_sweep (id, begun_at, ended_at, keys_scanned, matched, unmatched, unchanged,
    accepted, stored, duplicate, deferred, list_duplicates, list_rejected, failed, quarantined,
    tags_rejected, phase_ms, simulated)
    SELECT n, '2026-06-15Z'::timestamptz - (20000 - n) * interval '15 seconds', now(), 0, 0, 0, 0,
        0, 0, 0, 0, 0, '{}', '{}', '{}', '{}', '{}', true FROM generate_series(1, 20000) n;
INSERT INTO ic3_ingest_run_log (run_at, sweep_id) SELECT begun_at, id FROM ic3_sweep;
INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, value_num, recorded_at)
    SELECT m.asset_id, 'P1', 1, 1, t.occurred_at
    FROM telemetry t JOIN ic3_asset_master m ON m.serialnumber = t.asset_id;
INSERT INTO ic3_asset_monitoring_latest (asset_id, readings)
    SELECT asset_id, '[]' FROM ic3_asset_master;
INSERT INTO dead_letter (scope, reason, key, raw, raw_length, raw_sha256, first_seen_at,
    last_seen_at, times_seen)
    SELECT 'inner', 'bad_json', '\\x00', '\\x00', 1, sha256(n::text::bytea), now(),
        now() - n * interval '1 second', 1 FROM generate_series(1, 5000) n;
INSERT INTO ic3_inbox (kind, serial, tag_code, first_seen_at, last_seen_at, times_seen, samples)
    SELECT 'tag', 'asset ' || n, 'P9', now(), now(), 1, '[]' FROM generate_series(1, 20000) n;
INSERT INTO audit_log (who, role, what, whence, object)
    SELECT 'asha', 'engineer', 'tag mapped', '127.0.0.1', 'x' FROM generate_series(1, 5000);
INSERT INTO ic3_replay (kind, state, created_by, reason, filter, registry_version)
    SELECT 'map', 'done', 'asha', 'x', '{}', 1 FROM generate_series(1, 5000);
INSERT INTO ic3_asset_state (serial, state, since) SELECT asset_id, 'fresh', now() FROM assets;
INSERT INTO ic3_feed_event (at, serial, event)
    SELECT '2026-06-15Z'::timestamptz - (20000 - n) * interval '15 seconds', 'asset ' || n, 'state'
    FROM generate_series(1, 20000) n;
INSERT INTO ic3_network_node (node_id, kind, longitude, latitude)
    SELECT 'N' || n, 'junction', 77, 28 FROM generate_series(1, 20000) n;
INSERT INTO ic3_network_link (link_id, kind, from_node, to_node, status)
    SELECT 'L' || n, 'pipe', 'N' || n, 'N' || n + 1, 'open' FROM generate_series(1, 19999) n;
INSERT INTO ic3_network_valve (valve_id, link_id, node_id)
    SELECT 'V' || n, 'L' || n, 'N' || n FROM generate_series(1, 19999) n;
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO ic3_alarm (id, version, source_kind, source, condition, priority, state, active, text,
    notify, raised_at, cleared_at, flaps, comments)
    SELECT n, 2, 'asset', 'asset ' || n % 5000, 'PRESSURE.low', 2,
        CASE WHEN n > 19900 THEN 'unacknowledged' ELSE 'cleared' END, n > 19900, '', '[]',
        '2026-06-15Z'::timestamptz - (20000 - n) * interval '15 seconds',
        CASE WHEN n > 19900 THEN NULL ELSE now() - (20000 - n) * interval '15 seconds' END, 0, 0
    FROM generate_series(1, 20000) n;
INSERT INTO ic3_alarm_event (alarm_id, version, at, what, state, active, priority)
    SELECT id, n, raised_at + n * interval '1 second', CASE n WHEN 1 THEN 'new' ELSE 'ack' END,
        'unacknowledged', true, 2 FROM ic3_alarm, generate_series(1, 2) n;
INSERT INTO ic3_alarm_hold (id, kind, reason, who, from_at, ended_at)
    SELECT n, 'shelved', 'x', 'asha', now(),
        CASE WHEN n > 4990 THEN NULL ELSE now() - (5000 - n) * interval '1 minute' END
    FROM generate_series(1, 5000) n;
INSERT INTO ic3_alarm_rule (name, kind, enabled, states, priority, deadband, on_delay_s,
    off_delay_s, notify, text)
    SELECT 'rule ' || n, 'high', true, '[]', 2, 0, 0, 0, '[]', '' FROM generate_series(1, 3000) n;
INSERT INTO ic3_route (name, kind, address, changed_by)
    SELECT 'route ' || n, 'webhook', 'https://x', 'asha' FROM generate_series(1, 20) n;
INSERT INTO ic3_route_secret (route_id, url, secret) SELECT id, address, 'x' FROM ic3_route;
INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority, event, state,
    next_at, created_at, queued_at)
    SELECT n % 20 + 1, 'x', n, 1, 'new', 1, '{}',
        CASE WHEN n > 19900 THEN 'waiting' ELSE 'sent' END, now(),
        '2026-06-15Z'::timestamptz - (20000 - n) * interval '15 seconds', now()
    FROM generate_series(1, 20000) n;
INSERT INTO ic3_work_order (kind, state, priority, title, serial, domain, created_at, created_by,
    updated_at, start_due_at, due_at, failed_at, alarm_id, source_kind, source, condition)
    SELECT 'corrective', CASE WHEN n % 50 = 0 THEN 'open' ELSE 'closed' END, n % 4 + 1, 'Leak',
        'asset ' || n, 'DEL-D08', at, 'asha', at, at, at, at, n, 'asset', 'asset ' || n, 'high'
    FROM generate_series(1, 20000) n,
        LATERAL (SELECT '2026-06-15Z'::timestamptz - n * interval '1 minute' AS at) t;
INSERT INTO ic3_work_order_event (order_id, version, at, who, what, to_state)
    SELECT id, 1, created_at, 'asha', 'created', state FROM ic3_work_order;
INSERT INTO ic3_work_order_check (order_id, text) SELECT id, 'look' FROM ic3_work_order;
INSERT INTO ic3_work_order_labour (order_id, person, minutes, at, who)
    SELECT id, 'asha', 5, created_at, 'asha' FROM ic3_work_order;
INSERT INTO ic3_work_order_part (order_id, name, quantity_milli, unit_cost_minor, at, who)
    SELECT id, 'seal', 1000, 5, created_at, 'asha' FROM ic3_work_order;
INSERT INTO ic3_work_order_comment (order_id, text, at, who)
    SELECT id, 'x', created_at, 'asha' FROM ic3_work_order;
INSERT INTO ic3_work_order_attachment (order_id, file_name, content_type, size_bytes, sha256, place,
    at, who)
    SELECT id, 'x.txt', 'text/plain', 1, 'x', id::text, created_at, 'asha' FROM ic3_work_order;
INSERT INTO ic3_maintenance_plan (title, serial, domain, priority, basis, every, unit, starts_at,
    lead_days, created_at, created_by)
    SELECT 'Oil', 'asset ' || n, 'DEL-D08', 3, 'calendar', 1, 'month', now(), 7, now(), 'asha'
    FROM generate_series(1, 5000) n;
INSERT INTO ic3_plan_run_hours (plan_id, counted_to, run_hours, measured_hours, recent_hours)
    SELECT id, now(), 1, 1, 1 FROM ic3_maintenance_plan;
INSERT INTO ic3_idempotency_key (who, key, request_hash, at)
    SELECT 'asha', 'k' || n, 'x', '2026-06-15Z'::timestamptz - n * interval '1 second'
    FROM generate_series(1, 5000) n;
INSERT INTO ic3_user (username, password_hash, role)
    SELECT 'user ' || n, 'hash', 'viewer' FROM generate_series(1, 3000) n;
INSERT INTO ic3_login (login_id, username, began_at, used_at, confirmed_at, expires_at, whence,
    client)
    SELECT 'login ' || n, 'user ' || n % 3000, now(), now(), now(),
        '2026-06-15Z'::timestamptz + n * interval '1 minute', '127.0.0.1', ''
    FROM generate_series(1, 20000) n;
INSERT INTO ic3_finding (kind, cause, asset_id, category, domain, opened_at, since, last_seen_at,
    closed_at, state, severity, peak_severity, confidence, peak_confidence, sentence, verdict)
    SELECT 'process', 'process', n, 'pump', 'DEL-D08', at, at, at,
        CASE WHEN n <= 19900 THEN at END, CASE WHEN n > 19900 THEN 'open' ELSE 'closed' END,
        5, 5, 80, 80, 'x', CASE WHEN n % 50 = 0 THEN 'true_alarm' END
    FROM generate_series(1, 20000) n,
        LATERAL (SELECT '2026-06-15Z'::timestamptz - (20000 - n) * interval '1 minute' AS at) t;
INSERT INTO ic3_analytics_run (worker, run_at, origin, from_at, until_at)
    SELECT 'anomaly', opened_at, 'live', opened_at, opened_at FROM ic3_finding;
INSERT INTO ic3_rollup_5m (bucket_at, asset_id, tag_code, param_id, row_count, good_count,
    used_count, value_sum, resets)
    SELECT '2026-06-15Z'::timestamptz - n % 24 * interval '5 minutes', n / 24 + 1, 'P1', 1, 1, 1, 1,
        1, 0 FROM generate_series(0, 47999) n;
INSERT INTO ic3_pump_day (asset_id, day, coverage, run_h, known_h, starts, worst, provisional,
    computed_at)
    SELECT n / 50 + 1, '2026-06-15'::date - n % 50, 1, 1, 1, 1, '', false, now()
    FROM generate_series(0, 19999) n;
INSERT INTO ic3_nrw_day (dma_id, day, domain, computed_at, definition_version, report, leak)
    SELECT 'D' || n / 50, '2026-06-15'::date - n % 50, 'DEL-D08', now(), 1, '{}', '{}'
    FROM generate_series(0, 19999) n;
INSERT INTO ic3_sensor_trust (asset_id, tag_code, computed_at, trust, completeness, timeliness,
    validity, liveness, consistency)
    SELECT asset_id, 'P1', now(), 90, 1, 1, 1, 1, 1 FROM ic3_asset_master;
INSERT INTO ic3_refresh_token (token_hash, login_id, issued_at)
    SELECT sha256(n::text::bytea), 'login ' || n % 20000, now() FROM generate_series(1, 40000) n;
"""
ANALYZE: Final = "ANALYZE"

SPAN: Final = {"first": NOW - timedelta(days=1), "last": NOW}
TEXTS_OF_AN_ASSET: Final = {"rows": Jsonb([{"serialnumber": "asset 1"}])}
SWEEP_ROW: Final[Mapping[str, object]] = {
    "id": 1, "begun_at": NOW, "ended_at": NOW, "keys_scanned": 0, "matched": 0, "unmatched": 0,
    "unchanged": 0, "accepted": 0, "stored": 0, "duplicate": 0, "deferred": 0,
    "list_duplicates": 0, "list_rejected": Jsonb({}), "failed": Jsonb({}),
    "quarantined": Jsonb({}), "tags_rejected": Jsonb({}), "phase_ms": Jsonb({}),
    "simulated": True, "error": None, "origin": "live", "keys_listed": 0, "read_ok": 0, "dead": 0,
    "gap": 0, "deferred_by": Jsonb({}), "spool": None, "spool_id": None, "times": Jsonb({}),
}  # fmt: skip
RUN_ROW: Final[Mapping[str, object]] = {
    "run_at": NOW, "keys_scanned": 0, "matched": 0, "unmatched": 0, "rows_inserted": 0,
    "tags_skipped": 0, "duration_ms": 0, "error_msg": None, "sweep_id": 1,
}  # fmt: skip

ROUTE_ROW: Final[Mapping[str, Any]] = {
    "name": "route", "address": "https://x", "recipients": Jsonb([]), "enabled": True,
    "least_priority": 4, "domains": Jsonb([]), "sources": Jsonb([]), "conditions": Jsonb([]),
    "changes": Jsonb(["new"]), "quiet_from": None, "quiet_until": None, "quiet_priority": None,
    "who": "asha",
}  # fmt: skip
OF_A_TAG: Final[Mapping[str, Any]] = {"register_ids": [1, 2], "tag_code": "P1"}
OF_A_KIND: Final[Mapping[str, Any]] = {"category": "pump", "tag_code": "P1", "param_id": 1}
JOB: Final[Mapping[str, Any]] = {
    "kind": "map", "created_by": "asha", "reason": "x", "scope": Jsonb({}), "total": None,
}  # fmt: skip
WALK: Final[Mapping[str, Any]] = {"from_at": NOW - timedelta(hours=1), "until_at": NOW}
CHOICE: Final[Mapping[str, Any]] = {"ids": None, "scope": None, "reason": None}
LINE: Final[Mapping[str, Any]] = {"kind": "tag", "serial": "asset 1", "tag_code": "P9"}

A_LOGIN: Final[Mapping[str, Any]] = {
    "login_id": "login 4711", "username": "user 1", "now": NOW, "why": "logout",
}  # fmt: skip

PAGE_OF_ALARMS: Final[Mapping[str, Any]] = {
    "from_at": NOW - timedelta(days=1), "until_at": NOW, "before_at": NOW, "before_id": 10**9,
    "priorities": None, "scope": None, "domains": None, "dma_ids": None, "sources": ["asset 1"],
    "conditions": None, "text": None, "limit": 100,
}  # fmt: skip

SPAN_OF_ALARMS: Final[Mapping[str, Any]] = {"from_at": NOW - timedelta(hours=1), "until_at": NOW}

ASKED: Final[Mapping[str, Any]] = {
    "scope": ["DEL-D08"], "domains": None, "dmas": None, "categories": None,
    "criticalities": None, "statuses": None, "q": None,
}  # fmt: skip
BEHIND: Final[Mapping[str, Any]] = {"key": "asset 4711", "asset_id": 4711, **ASKED, "limit": 100}
EXPORTED: Final[Mapping[str, Any]] = {
    "first": "asset 4",
    "second": "",
    "domains": None,
    "limit": 10,
}

OF_ORDER: Final[Mapping[str, Any]] = {"order_id": 4711}
BY_SCOPE: Final[Mapping[str, Any]] = {"id": 4711, "domains": ["DEL-D08"]}
ORDER_PAGE: Final[Mapping[str, Any]] = {
    "domains": ["DEL-D08"], "states": None, "priorities": None, "of_domain": None,
    "assignee": None, "team": None, "overdue": None, "q": None, "now": NOW,
    "to_do": ["open"], "limit": 100, "last_id": 10**9,
}  # fmt: skip
NEW_ORDER: Final[Mapping[str, Any]] = {
    "kind": "corrective", "state": "open", "priority": 3, "title": "x", "description": "",
    "serial": None, "category": None, "domain": None, "assignee": None, "team": None, "at": NOW,
    "created_by": "asha", "start_due_at": NOW, "due_at": NOW, "due_given": False,
    "failed_at": NOW, "alarm_id": None, "source_kind": None, "source": None, "condition": None,
    "evidence": None, "plan_id": None, "plan_due": None,
}  # fmt: skip
PLAN: Final[Mapping[str, Any]] = {
    "title": "x", "description": "", "priority": 3, "team": None, "assignee": None,
    "checklist": Jsonb([]), "lead_days": 7,
}  # fmt: skip
HOURS: Final[Mapping[str, Any]] = {
    "plan_id": 1, "counted_to": NOW, "run_hours": 1.0, "measured_hours": 1.0, "recent_hours": 1.0,
    "order_id": None,
}  # fmt: skip

OF_FINDING: Final[Mapping[str, Any]] = {"id": 4711, "scope": ["DEL-D08"]}
SPAN_OF_FINDINGS: Final[Mapping[str, Any]] = {
    "scope": None, "from_at": NOW - timedelta(hours=2), "until_at": NOW,
}  # fmt: skip
SEEN_ROWS: Final = Jsonb([{"number": 0, "asset_id": 1, "cause": "process"}])
A_STATE: Final[Mapping[str, Any]] = {
    "worker": "anomaly", "subject": "pump", "model_version": "1", "seen_until": NOW,
    "saved_at": NOW, "state": b"x",
}  # fmt: skip

PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "analytics.ALL_TRUST": {},
    "analytics.CRITICALITIES": {},
    "analytics.FORGET_STATES": {"worker": "anomaly", "subjects": ["pump"]},
    "analytics.KEEP_STATE": A_STATE,
    "analytics.KEEP_TRUST": {"rows": Jsonb([])},
    "analytics.LOG_RUN": {
        "worker": "nrw", "run_at": NOW, "origin": "live", "from_at": NOW, "until_at": NOW,
        "judged": 1, "not_computed": 0, "reasons": Jsonb({}), "opened": 0, "updated": 0,
        "closed": 0, "duration_ms": 1, "error_msg": None,
    },
    "analytics.RUNS": {"before": 10**9, "worker": "anomaly", "limit": 100},
    "analytics.STATES": {"worker": "anomaly"},
    "analytics.TRIM_RUNS": {"before": NOW - timedelta(days=10)},
    "analytics.TRUST": {
        "now": NOW, "trust": -1.0, "asset_id": 0, "tag_code": "", "below": None, "serial": None,
        "scope": ["DEL-D08"], "limit": 100,
    },
    "dma.ADD": {
        "dma_id": "D1", "version": 1, "valid_from": NOW, "domain": None, "definition": Jsonb({}),
        "at": NOW, "who": "asha",
    },
    "dma.AREA": {"dma_id": "D1", "scope": None},
    "dma.AREAS": {},
    "dma.DEFINITIONS": {"dma_id": "D1", "scope": None},
    "dma.INSTRUMENTS": {"dma_ids": ["D1"], "categories": ["bulk flow meter"]},
    "dma.KNOWN_KEYS": {"serials": ["asset 1"]},
    "five_minutes.DAYS": {"asset_ids": [1, 2], "from_at": NOW, "until_at": NOW},
    "five_minutes.EXTENT": {"asset_ids": [1, 2], "from_at": NOW},
    "five_minutes.FIVE_MINUTES": {
        "asset_ids": [1, 2], "from_at": NOW, "until_at": NOW, "tags": ["P1"],
    },
    "nrw.DAYS": {
        "dma_id": "D7", "before": NOW.date(), "from_day": NOW.date(), "scope": None, "limit": 100,
    },
    "nrw.KEEP": {"rows": Jsonb([])},
    "nrw.KEEP_DAYS": {"rows": Jsonb([])},
    "nrw.LIST": {
        "after": "D1", "lost": 10.0, "dma_id": None, "domain": None, "scope": None, "limit": 100,
    },
    "pump_health.DAYS": {
        "asset_id": 7, "before": NOW.date(), "from_day": NOW.date(), "limit": 100,
    },
    "pump_health.INDICES": {"asset_ids": [1, 2], "after": NOW.date(), "until": NOW.date()},
    "pump_health.KEEP": {"rows": Jsonb([])},
    "pump_health.KEEP_DAYS": {"rows": Jsonb([])},
    "pump_health.KEEP_PLATE": {
        "asset_id": 1, "version": 1, "plate": Jsonb({}), "vibration_class": "x",
        "overhauled_at": None, "at": NOW, "who": "asha",
    },
    "pump_health.LIST": {
        "health": 50.0, "after": 0, "serial": None, "domain": None, "below": None, "scope": None,
        "limit": 100,
    },
    "pump_health.PLATES": {"asset_id": None},
    "pump_health.PUMP": {"serial": "asset 1", "scope": None},
    "pump_health.RATINGS": {"asset_ids": [1, 2]},
    "findings.AGAIN": {"rows": SEEN_ROWS, "recent_at": NOW},
    "findings.CLOSE": {
        "at": NOW, "kind": "process", "gone_at": NOW, "asset_ids": [1, 2], "dma_ids": [],
    },
    "findings.COUNTS": SPAN_OF_FINDINGS,
    "findings.EVIDENCE": {"id": 4711},
    "findings.FIGURES": SPAN_OF_FINDINGS,
    "findings.JUDGED": {"kind": "process", "after": NOW},
    "findings.LOCK": OF_FINDING,
    "findings.ONE": OF_FINDING,
    "findings.OPEN": {"at": NOW, "rows": Jsonb([])},
    "findings.PAGE": {
        "before": 10**9, "scope": ["DEL-D08"], "kinds": None, "states": None, "verdicts": None,
        "active": None, "serial": None, "category": None, "domain": None, "dma_id": None,
        "least_severity": None, "least_confidence": None, "from_at": None, "until_at": None,
        "limit": 100,
    },
    "findings.PRECISION": {},
    "findings.SAVE": {
        "state": "open", "acknowledged_at": None, "acknowledged_by": None, "verdict": None,
        "verdict_by": None, "verdict_at": None, "verdict_note": None, "work_order_id": None,
        "id": 4711,
    },
    "findings.SEEN_AGAIN": {"at": NOW, "rows": Jsonb([{"id": 1}])},
    "findings.SET_ORDERS_RETURNED": {"at": NOW, "ids": [1]},
    "findings.TRIM": {"before": NOW - timedelta(days=20)},
    "findings.WORST_NOW": {},
    "attachments.ATTACHMENT": {**BY_SCOPE, **OF_ORDER},
    "attachments.ATTACHMENTS": OF_ORDER,
    "attachments.DELETE_ATTACHMENT": {"id": 1, **OF_ORDER},
    "attachments.INSERT_ATTACHMENT": {
        **OF_ORDER, "file_name": "x", "content_type": "text/plain", "size_bytes": 1,
        "sha256": "x", "place": "x/y", "at": NOW, "who": "asha",
    },
    "attachments.PLACES": {},
    "attachments.TAKE_TURN": {},
    "attachments.USED": OF_ORDER,
    "idempotency.FREE_KEY": {"who": "asha", "key": "k1"},
    "idempotency.KEEP_ANSWER": {"answer": b"{}", "who": "asha", "key": "k1"},
    "idempotency.KEY": {"who": "asha", "key": "k1"},
    "idempotency.TAKE_KEY": {
        "who": "asha", "key": "k", "request_hash": "x", "at": NOW, "too_old": NOW,
    },
    "idempotency.TRIM_KEYS": {"before": NOW - timedelta(days=3)},
    "idempotency.TRIM_MANY_KEYS": {"keep": 4000},
    "order_details.CHECKS": OF_ORDER,
    "order_details.COMMENTS": OF_ORDER,
    "order_details.COUNT_ENTRIES": OF_ORDER,
    "order_details.EVENTS": {**OF_ORDER, "after": 0, "limit": 100},
    "order_details.INSERT_CHECK": {**OF_ORDER, "text": "x"},
    "order_details.INSERT_COMMENT": {**OF_ORDER, "text": "x", "at": NOW, "who": "asha"},
    "order_details.INSERT_LABOUR": {
        **OF_ORDER, "person": "asha", "minutes": 5, "note": None, "at": NOW, "who": "asha",
    },
    "order_details.INSERT_PART": {
        **OF_ORDER, "name": "x", "number": None, "quantity_milli": 1000, "unit_cost_minor": 5,
        "at": NOW, "who": "asha",
    },
    "order_details.LABOUR": OF_ORDER,
    "order_details.PARTS": OF_ORDER,
    "order_details.SET_CHECK": {"done": True, "at": NOW, "who": "asha", **OF_ORDER, "id": 4711},
    "plans.COUNT_PLANS": {},
    "plans.INSERT_PLAN": {
        **PLAN, "serial": None, "category": None, "domain": None, "basis": "calendar", "every": 1,
        "unit": "day", "tag_code": None, "starts_at": NOW, "at": NOW, "created_by": "asha",
    },
    "plans.KEEP_HOURS": HOURS,
    "plans.LOCK_PLAN": {"id": 47, "domains": None},
    "plans.NEWEST_HOURS": {"ids": [1, 2]},
    "plans.PLANS": {"after": 0, "domains": None, "serial": None, "active": True, "limit": 100},
    "plans.RUN_HOURS": {
        "recent_at": NOW - timedelta(days=7), "serial": "asset 4711", "tag_code": "P1",
        "from_at": NOW - timedelta(days=90), "last_at": NOW,
    },
    "plans.SAVE_PLAN": {"active": True, **PLAN, "id": 47},
    "plans.SET_MADE": {"number": 1, "id": 47},
    "plans.TRIM_HOURS": {"plan_id": 1, "counted_to": NOW},
    "reliability.MEASURE": {
        "by": "kind", "until_at": NOW, "domains": None, "from_at": NOW - timedelta(days=30),
        "limit": 100,
    },
    "work_orders.COUNTS": {"to_do": ["open"], "now": NOW, "domains": None},
    "work_orders.EVIDENCE": {"id": 4711},
    "work_orders.FIND_ASSET": {"serial": "asset 4711"},
    "work_orders.INSERT_CHECKS": {**OF_ORDER, "texts": ["x"]},
    "work_orders.INSERT_EVENT": {
        **OF_ORDER, "version": 2, "at": NOW, "who": "asha", "what": "x", "from_state": None,
        "to_state": "open", "note": None, "before": None, "after": None,
    },
    "work_orders.INSERT_ORDER": NEW_ORDER,
    "work_orders.LOCK_ORDER": BY_SCOPE,
    "work_orders.OPEN_OF_ALARM": {"alarm_id": 4700, "but": 0},
    "work_orders.ORDER": BY_SCOPE,
    "work_orders.ORDERS": {"ids": [1, 2]},
    "work_orders.PAGE_BY_CREATED": {**ORDER_PAGE, "serial": None},
    "work_orders.PAGE_BY_DUE": {**ORDER_PAGE, "serial": None, "last_at": NOW},
    "work_orders.PAGE_BY_PRIORITY": {**ORDER_PAGE, "serial": None, "last_priority": 2},
    "work_orders.PAGE_BY_UPDATED": {**ORDER_PAGE, "serial": None, "last_at": NOW},
    "work_orders.PAGE_OF_ASSET": {**ORDER_PAGE, "serial": "asset 4711"},
    "work_orders.SAVE_ORDER": {
        "version": 2, "state": "open", "priority": 3, "title": "x", "description": "",
        "assignee": None, "team": None, "updated_at": NOW, "start_due_at": NOW, "due_at": NOW,
        "due_given": False, "started_at": None, "done_at": None, "ended_at": None,
        "labour_minutes": 0, "parts_cost_minor": 0, "id": 4711,
    },
    "work_orders.SET_RETURNED": {"ids": [50], "times": [NOW]},
    "work_orders.SET_SLA": {"start_minutes": 1, "done_minutes": 2, "priority": 1},
    "work_orders.SLA": {},
    "work_orders.WATCHED": {},
    "api_keys.ADD": {
        "name": "k", "key_hash": b"x", "hint": "ic3_", "role": "viewer", "domains": None,
        "now": NOW, "who": "asha", "expires_at": NOW,
    },
    "api_keys.COUNT": {},
    "api_keys.GOOD": {"now": NOW},
    "api_keys.LISTED": {},
    "api_keys.REVOKE": {"key_id": 1, "now": NOW},
    "api_keys.USED": {"hashes": [b"x"], "now": NOW},
    "audit.BROKEN": {},
    "audit.EXTENT": {},
    "audit.NEWEST": {
        "below": 10**9, "limit": 100, "who": None, "what": None, "object": None, "from_at": None,
        "until_at": None,
    },
    "audit.TRIM": {"days": 180},
    "logins.BEGIN": {
        "login_id": "x", "username": "asha", "now": NOW, "expires_at": NOW, "whence": "x",
        "client": "x",
    },
    "logins.CONFIRM": {"login_id": "login 4711", "now": NOW},
    "logins.END": A_LOGIN,
    "logins.ENDED": {"since": NOW},
    "logins.END_OTHERS": {"username": "user 1", "but": "", "now": NOW, "why": "admin"},
    "logins.FIND": {"token_hash": b"x"},
    "logins.FORGET": {"before": NOW - timedelta(days=3)},
    "logins.FORGET_TOKENS": {"before": NOW - timedelta(days=3)},
    "logins.ISSUE": {"token_hash": b"x", "login_id": "x", "now": NOW},
    "logins.OPEN": {"username": "user 1", "now": NOW},
    "logins.PROLONG": {"login_id": "login 4711", "now": NOW, "expires_at": NOW},
    "logins.USE": {"token_hash": b"x", "now": NOW},
    "alarm_kpi.ACKNOWLEDGEMENT": SPAN_OF_ALARMS,
    "alarm_kpi.CONDITIONS": {**SPAN_OF_ALARMS, "chatter_s": 60, "worst": 10},
    "alarm_kpi.SLOTS": {**SPAN_OF_ALARMS, "slot_s": 600},
    "alarm_kpi.STANDING": {"until_at": NOW, "long_ago": NOW - timedelta(days=1)},
    "alarm_rules.ALL_RULES": {},
    "alarm_rules.CHANGE_RULES": {"rows": Jsonb([]), "who": "asha"},
    "alarm_rules.COUNT_RULES": {},
    "alarm_rules.INSERT_RULES": {"rows": Jsonb([]), "who": None},
    "alarm_rules.NAME_TAKEN": {"name": "rule 7", "id": 1},
    "alarm_rules.REMOVE_RULE": {"id": 1},
    "alarm_rules.RULE": {"id": 1},
    "alarm_rules.SETTLE_VERSION": {},
    "alarm_rules.TAKE_TURN": {},
    "alarm_rules.VERSION": {},
    "alarms.ALARM": {"id": 1},
    "alarms.CLOSE_OTHERS": {
        "id": 1, "source_kind": "asset", "source": "asset 1", "condition": "PRESSURE.low",
        "at": NOW,
    },
    "alarms.EVENTS": {"id": 1},
    "alarms.KEEP_ALARMS": {"rows": Jsonb([])},
    "alarms.KEEP_EVENTS": {"rows": Jsonb([])},
    "alarms.KEEP_HOLDS": {"rows": Jsonb([])},
    "alarms.LAST_IDS": {},
    "alarms.OPEN_ALARMS": {},
    "alarms.OPEN_HOLDS": {},
    "alarms.PAGE": PAGE_OF_ALARMS,
    "alarms.PAGE_OF_SOURCES": PAGE_OF_ALARMS,
    "alarms.TRIM_ALARMS": {"before": NOW - timedelta(days=400)},
    "alarms.TRIM_EVENTS": {"before": NOW - timedelta(days=400)},
    "alarms.TRIM_HOLDS": {"before": NOW - timedelta(days=400)},
    "alarms.TRIM_MANY_ALARMS": {"keep": 500_000},
    "alarms.TRIM_MANY_EVENTS": {"keep": 2_000_000},
    "audit.RECORD_MANY": {"rows": Jsonb([])},
    "assets.ADD": {"fields": Jsonb({"serialnumber": "s"}), "who": "asha", "entered": ["name"]},
    "assets.CHANGE": {
        "fields": Jsonb({"name": "n"}), "who": "asha", "entered": ["name"], "asset_id": 4711,
    },
    "assets.COUNT": ASKED,
    "assets.DMA": {"dma_id": "D", "scope": None},
    "assets.LOCK_ONE": {"serial": "asset 4711", "scope": None},
    "assets.OF_PAGE": {"ids": [4711]},
    "assets.ONE": {"serial": "asset 4711", "scope": None},
    "assets.PAGE_BY_CATEGORY": BEHIND,
    "assets.PAGE_BY_CRITICALITY": BEHIND,
    "assets.PAGE_BY_DMA": BEHIND,
    "assets.PAGE_BY_DOMAIN": BEHIND,
    "assets.PAGE_BY_NAME": BEHIND,
    "assets.PAGE_BY_NAME_DOWN": BEHIND,
    "assets.PAGE_BY_SERIAL": {name: BEHIND[name] for name in BEHIND if name != "asset_id"},
    "assets.PAGE_BY_SERIAL_DOWN": BEHIND,
    "assets.PAGE_BY_STATUS": BEHIND,
    "assets.TAGS": {"asset_id": 4711, "serial": "asset 4711"},
    "assets.TREE": {"scope": None},
    "audit.RECORD": {
        "who": "asha", "role": "engineer", "what": "tag mapped", "whence": "127.0.0.1",
        "object": "x", "before": None, "after": Jsonb({}),
    },
    "cmms.BATCH": {"after": 100, "offset": 0, "limit": 100},
    "cmms.BEGIN_BATCH": {"after": None, "total": 100, "who": "asha"},
    "cmms.END_BATCH": {"skipped": 0, "at_end": False},
    "cmms.MOVE": {"asset_id": 1, "success": 1, "failed": 0, "skipped": 0},
    "cmms.PROGRESS": {},
    "conflicts.COUNT_OPEN": {"domains": None},
    "conflicts.DECIDE": {"id": 1, "state": "kept", "who": "asha"},
    "conflicts.LOCK_ONE": {"id": 1, "domains": None},
    "conflicts.PAGE": {"after": 0, "state": "open", "domains": None, "limit": 100},
    "conflicts.PARAMETER_NAME": {"code": "P1"},
    "conflicts.RELEASE_ASSET": {"field": "name", "key": "asset 4711"},
    "conflicts.RELEASE_PARAMETER": {"field": "unit", "key": "P1"},
    "conflicts.RELEASE_TAG": {"key": "asset 4711", "tag_code": "P1"},
    "conflicts.SET_NAME": {"offered": Jsonb("n"), "key": "P1"},
    "dead_letter.KEEP": {
        "scope": "inner", "reason": "bad_json", "detail": None, "key": b"k", "raw": b"{",
        "raw_length": 1, "sqlstate": None, "sha256": b"x", "sweep_id": 1, "seen_at": NOW,
    },
    "dead_letter.TRIM": {"keep": 4000},
    "exports.EXPORT_DMAS": EXPORTED,
    "exports.EXPORT_PARAMETERS": EXPORTED,
    "exports.EXPORT_REGISTER": EXPORTED,
    "exports.EXPORT_TAGMAP": EXPORTED,
    "gaps.GAPS": {"since": NOW, "limit": 100},
    "gaps.KEEP_GAPS": {
        "spool": "s", "cause": "spool_dropped", "asset_id": "a", "from_at": NOW, "to_at": NOW,
        "readings": 1, "estimated": False,
    },
    "inbox.ALL_LINES": {},
    "inbox.COUNT_LINES": {},
    "inbox.PAGE": {
        "kind": None, "state": "open", "tag_code": None, "category": None, "limit": 100,
        "kind_after": "tag", "serial_after": "asset 1", "tag_after": "P1",
    },
    "inbox.SETTLE_LINES": {"state": "mapped", "keys": Jsonb([LINE])},
    "inbox.SET_STATE": {**LINE, "state": "ignored", "was": "open", "note": "x", "who": "asha"},
    "inbox.STATE_OF": LINE,
    "inbox.WRITE_LINES": {"lines": Jsonb([LINE])},
    "mappings.ADD_ASSET": {
        "serial": "s", "name": None, "category": None, "domain": None, "who": "asha", "entered": [],
    },
    "mappings.ADD_PARAMETER": {
        "param_tag_code": "P", "parameter_name": "P", "unit": None, "kind": None,
        "range_low": None, "range_high": None, "rate_max_per_s": None, "decimals": None,
        "who": "asha", "entered": [],
    },
    "mappings.ASSET": {"serial": "asset 4711"},
    "mappings.CATEGORIES": {},
    "mappings.CATEGORY_SIZE": {"category": "pump"},
    "mappings.MAPPED": {"register_id": 1, "tag_code": "P1"},
    "mappings.MAP_KIND": {**OF_A_KIND, "who": "asha"},
    "mappings.MAP_TAG": {"register_id": 1, "tag_code": "P1", "param_id": 1, "who": "asha"},
    "mappings.OTHERWISE_MAPPED": OF_A_KIND,
    "mappings.PARAMETER": {"param_id": 1},
    "mappings.PARAMETER_BY_CODE": {"code": "P1"},
    "mappings.PAST_ROWS": {**OF_A_TAG, **WALK},
    "mappings.PAST_SEEN": OF_A_TAG,
    "mappings.SET_ASSET_STATE": {"serial": "asset 1", "who": "asha"},
    "mappings.SET_TAG_STATES": {**OF_A_TAG, "state": "mapped", "who": "asha"},
    "mappings.SISTERS": {"tag_code": "P1", "category": "pump"},
    "mappings.UNMAP_KIND": OF_A_KIND,
    "mappings.UNMAP_TAG": {"register_id": 1, "tag_code": "P1"},
    "history.ASSET_ID": {"serial": "asset 4711"},
    "history.BUCKETS": {
        "register_id": 4711, "back_to": NOW - timedelta(days=31), "hours_to": NOW, "tags": ["P1"],
        "minutes_to": NOW, "to_at": NOW, "unit": "day", "zone": "Asia/Kolkata",
        "from_at": NOW - timedelta(days=1),
    },
    "history.NEXT_READING": {
        "register_id": 4711, "from_at": NOW - timedelta(days=1), "to_at": NOW, "tags": ["P1"],
    },
    "history.RAW_PAGE": {
        "register_id": 4711, "from_at": NOW - timedelta(days=1), "to_at": NOW, "after_tag": "",
        "tags": ["P1"], "limit": 4000,
    },
    "history.TAGS_OF_ASSET": {"register_id": 4711},
    "merges.CURRENT_ASSETS": {"keys": ["asset 4711"]},
    "merges.CURRENT_DMAS": {"keys": ["D"]},
    "merges.CURRENT_PARAMETERS": {"keys": ["P1"]},
    "merges.CURRENT_TAGS": {"keys": ["asset 4711"]},
    "merges.FORGET_CONFLICTS": {"fields": Jsonb([]), "subject": "register"},
    "merges.WRITE_CONFLICTS": {
        "subject": "register", "source": "cmms", "by": "asha", "conflicts": Jsonb([]),
    },
    "migrate.APPLIED": {},
    "migrate.IN_THE_WAY": {},
    "migrate.LOCK": {"key": 1},
    "migrate.LOG_EXISTS": {},
    "migrate.NUMBER_ON": {},
    "migrate.RECORD": {"version": 1, "name": "initial", "checksum": "x"},
    "migrate.SERVER_VERSION": {},
    "migrate.WITHOUT_NUMBERING": {},
    "migrate.ZONELESS_RUNS": {},
    "monitoring.ALL_LATEST": {},
    "monitoring.INSERT_RUN": RUN_ROW,
    "monitoring.INSERT_STAGED": {},
    "monitoring.LATEST_OF": {"register_ids": [1]},
    "monitoring.LOCK_LATEST": {"register_ids": [1]},
    "monitoring.MOVE_LATEST": {"register_ids": [1], "readings": ["[]"]},
    "monitoring.NAME_UNMAPPED": {"sweep_id": 1, "at": NOW, "keys": Jsonb({})},
    "monitoring.RECENT_RUNS": {"limit": 20},
    "monitoring.SETTLE_SWEEP": {
        "tags": 1, "rows_inserted": 1, "rows_duplicate": 0, "tags_skipped": 0, "tags_refused": 0,
        "sweep_id": LAST_SWEEP,
    },
    "monitoring.REMAP_STAGED": {},
    "monitoring.UNLOGGED_SWEEPS": {},
    "network.AREAS": {},
    "network.COUNT_NODES": {},
    "network.DROP_LINKS": {"names": ["L1"]},
    "network.DROP_NODES": {"names": ["N1"]},
    "network.DROP_VALVES": {"names": ["V1"]},
    "network.KEEP_LINKS": {"rows": Jsonb([])},
    "network.KEEP_NODES": {"rows": Jsonb([])},
    "network.KEEP_SOURCE": {
        "source": "x", "form": "inp", "units": "CMH", "sections": Jsonb({}), "who": "asha",
    },
    "network.KEEP_VALVES": {"rows": Jsonb([])},
    "network.LINKS": {},
    "network.LOCK": {},
    "network.NODES": {},
    "network.SOURCE": {},
    "network.VALVES": {},
    "network.VERSION": {},
    "notify.ADD_ROUTE": {**ROUTE_ROW, "kind": "webhook"},
    "notify.CHANGE_KEY": {"id": 1, "secret": "x"},
    "notify.CHANGE_ROUTE": {**ROUTE_ROW, "id": 1},
    "notify.CHANGE_URL": {"id": 1, "url": "https://x"},
    "notify.COUNT_ROUTES": {},
    "notify.COUNT_WAITING": {},
    "notify.DELETE_ROUTE": {"id": 1},
    "notify.DELIVERY": {"id": 4711},
    "notify.ENQUEUE": {"rows": Jsonb([])},
    "notify.FORGET_TARGET": {"id": 1},
    "notify.GIVE_UP_OLD": {"now": NOW, "before": NOW - timedelta(days=1)},
    "notify.GIVE_UP_ROUTE": {"id": 1},
    "notify.KEEP_TARGET": {"id": 1, "url": "https://x", "secret": "x"},
    "notify.NAME_TAKEN": {"name": "route 7", "id": 1},
    "notify.PAGE": {"below": 10**9, "state": None, "route_id": None, "limit": 100},
    "notify.RESEND": {"id": 4711, "now": NOW},
    "notify.ROUTE": {"id": 1},
    "notify.ROUTES": {},
    "notify.SETTLE": {
        "ids": [4711], "state": "sent", "next_at": NOW, "status": 200, "error": None,
        "ended_at": NOW,
    },
    "notify.TARGETS": {},
    "notify.TRIM_DELIVERIES": {"before": NOW - timedelta(days=3)},
    "notify.TRIM_MANY_DELIVERIES": {"keep": 4000},
    "notify.WAITING_OF_ROUTE": {"route_id": 7, "limit": 1},
    "notify.WAITING_ROUTES": {},
    "partitions.EXISTING": {"table": "telemetry"},
    "partitions.SIZES_OF_DAYS": {"today": "20260615"},
    "partitions.TAKE_TURN": {},
    "partitions.TRIM_DEFAULT": {"before": NOW},
    "partitions.TRIM_DEFAULT_READINGS": {"before": NOW},
    "partitions.TRIM_GAPS": {"before": NOW},
    "partitions.TRIM_KEYS": {"before": NOW},
    "partitions.TRIM_RUNS": {"before": NOW - timedelta(days=3)},
    "partitions.TRIM_SWEEPS": {"before": NOW - timedelta(days=3)},
    "presence.ALONE": {"key": 1},
    "presence.HOLD": {"key": 1},
    "quarantine.COUNT": CHOICE,
    "quarantine.COUNT_REASONS": {},
    "quarantine.ITEM": {"id": 1},
    "quarantine.MARK": {"ids": [1, 2]},
    "quarantine.OPEN_IDS": {"scope": "inner", "reason": None, "after": 0, "limit": 100},
    "quarantine.PAGE": {"below": 10**9, "scope": None, "reason": None, "limit": 100},
    "quarantine.PURGE": CHOICE,
    "quarantine.RAW": {"ids": [1, 2]},
    "quarantine.REGISTERED": {"serials": ["asset 1"]},
    "quarantine.STORED_ALREADY": {"times": [NOW], "serials": ["asset 1"], "records": ["r1"]},
    "parameters.CHANGE": {
        "fields": Jsonb({"unit": "m"}), "who": "asha", "entered": ["unit"], "code": "P1",
    },
    "parameters.LOCK_ONE": {"code": "P1"},
    "parameters.ONE": {"code": "P1"},
    "parameters.PAGE": {"after": "", "q": None, "limit": 100},
    "register.ASSETS": {},
    "register.ASSETS_BY_SERIAL": {"after": "asset 4711", "domains": None, "limit": 100},
    "register.ASSET_BY_SERIAL": {"serial": "asset 4711", "domains": None},
    "register.CHANGED_COUNTERS": {"rows": Jsonb([{"param_tag_code": "P1"}])},
    "register.COUNT_ASSETS": {},
    "register.DMAS": {"codes": ["D"], "domains": None},
    "register.IMPORT_ASSETS": {**TEXTS_OF_AN_ASSET, "by": "asha"},
    "register.IMPORT_DMAS": {"rows": Jsonb([{"dma_id": "DEL-D01-A1"}])},
    "register.IMPORT_PARAMETERS": {"rows": Jsonb([{"param_tag_code": "P1"}]), "by": "a"},
    "register.IMPORT_TAGS": TEXTS_OF_AN_ASSET,
    "register.PARAMETERS": {},
    "register.SERIALS": {"codes": ["asset 1", "asset 2"], "domains": None},
    "register.TAG_CODES": {"codes": ["P1"]},
    "register.TAG_MAP": {},
    "register.VERSION": {},
    "runs.BUCKETS": {**WALK, "bucket": timedelta(minutes=5)},
    "runs.COUNTED": WALK,
    "runs.FAILED": {
        "from_at": NOW - timedelta(days=1), "until_at": NOW + timedelta(minutes=1), "limit": 20,
    },
    "runs.FAILING_KEYS": WALK,
    "runs.RUN": {"run_id": 1},
    "mappings.UNMAPPED_OF_FILE": {"rows": Jsonb([])},
    "mappings.HAS_TELEMETRY": {},
    "system.FACTS": {},
    "system.SPANS": {"tables": ["telemetry"]},
    "telemetry.CONFLICTING": {},
    "assignees.ASSIGNEES": {"scope": ["DEL-D08"]},
    "assignees.MAY_BE_GIVEN": {"username": "asha", "domain": "DEL-D08"},
    "history.LAST_VALUES": {"bucket_at": NOW, "param_ids": [1, 2]},
    "inbox.GROUPS": {"state": "open", "limit": 100},
    "roles.GRANTED": {},
    "roles.HAS_READERS_POLICY": {"table": "telemetry"},
    "roles.HELD": {},
    "roles.MAY_CREATE": {},
    "roles.MAY_OWN": {},
    "roles.NUMBERS": {},
    "roles.TABLES": {},
    "telemetry.LATEST_ENVELOPE": {"serial": "asset 1"},
    "replays.ADVANCE": {
        "id": 1, "at": NOW, "serial": "", "record": "", "rows": 1, "envelopes": 1,
    },
    "replays.BEGIN_JOB": {"id": 1, "version": 1, **WALK},
    "replays.CANCEL": {"id": 1},
    "replays.COUNT_OPEN": {},
    "replays.CREATE": JOB,
    "replays.CURRENT": {},
    "replays.ENVELOPES": {
        **WALK, "serial": "", "record": "", "serials": ["asset 1"], "tags": ["P1"], "limit": 2000,
    },
    "replays.FINISH": {"id": 1, "state": "done", "error": None},
    "replays.JOB": {"id": 1},
    "replays.JOBS": {"limit": 100, "before": 50},
    "replays.LAST_WAITING": {"kind": "map", "created_by": "asha", "scope": Jsonb({})},
    "replays.NEXT_AT": WALK,
    "replays.RUN_BEGUN_AFTER": {"at": NOW},
    "replays.WIDEN": {"id": 1, "scope": Jsonb({}), "reason": "x"},
    "rollups.FORGET": {"horizon_at": NOW},
    "rollups.KEPT_ZONE": {},
    "rollups.MARK": {"buckets": [1], "register_ids": [1]},
    "rollups.MARK_PARAMETERS": {"param_ids": [1]},
    "rollups.ROLL_UP": {"register_ids": [4711], "from_at": [NOW], "to_at": [NOW]},
    "rollups.ROLL_UP_HOURS": {
        "zone": "Asia/Kolkata", "register_ids": [4711], "from_at": [NOW],
    },
    "rollups.SETTLE_ZONE": {"zone": "Asia/Kolkata", "now": NOW},
    "rollups.TAKE": {"newest_at": NOW, "zone": "Asia/Kolkata"},
    "states.KEEP_EVENTS": {"rows": Jsonb([])},
    "states.KEEP_STATES": {"rows": Jsonb([])},
    "states.KNOWN_STATES": {},
    "states.RECENT_EVENTS": {"limit": 100, "serials": None, "before": 10**9},
    "states.TRIM_EVENTS": {"before": NOW - timedelta(days=3)},
    "states.TRIM_MANY_EVENTS": {"keep": 4000},
    "telemetry.ENVELOPES_OF_SWEEPS": {"after": LAST_SWEEP - 1, "last": LAST_SWEEP, "limit": 10**7},
    "telemetry.INSERT_KEYS": {"sweep_id": 1, "at": NOW, "keys": Jsonb({})},
    "telemetry.INSERT_STAGED": {},
    "telemetry.INSERT_SWEEP": SWEEP_ROW,
    "telemetry.LAST_SWEEP_ID": {},
    "telemetry.LATEST_ASSETS": {},
    "telemetry.MOVE_LATEST": {"sweep_id": LAST_SWEEP, **SPAN},
    "telemetry.NEXT_SWEEP_ID": {},
    "telemetry.READS_ANOTHER_PLANT": {},
    "telemetry.STORED_BEFORE": {"spool": "s", "spool_id": 1},
    "telemetry.SEE_ASSETS": {"sweep_id": LAST_SWEEP, **SPAN},
    "users.ADD": {
        "username": "asha", "password_hash": "x", "role": "viewer", "domains": None,
        "full_name": None, "must_change": False,
    },
    "users.ADMINS": {},
    "users.ANY_ADMIN": {},
    "users.BY_NAME": {"username": "user 4711"},
    "users.CHANGE": {
        "username": "user 4711", "version": 1, "role": "viewer", "domains": None,
        "full_name": None, "disabled": False, "revokes": True,
    },
    "users.EPOCHS": {},
    "users.LISTED": {"after": "", "limit": 100},
    "users.ONE": {"username": "user 4711"},
    "users.REPLACE_HASH": {
        "username": "user 4711", "password_hash": "x", "must_change": False,
    },
    "users.REHASH": {"password_hash": "x", "user_id": 1},
}  # fmt: skip

# Where PostgreSQL cannot tell them from the statement.
TYPES: Final = {
    "monitoring.MOVE_LATEST": "(int[], json[])", "rollups.MARK": "(int[], int[])",
}  # fmt: skip
PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s")

STAGING: Final = ("monitoring.STAGE_READINGS", "telemetry.STAGE_TELEMETRY")
DEFINES: Final = "defines a table; EXPLAIN takes no definitions"
COPIES: Final = "COPY; EXPLAIN takes none, and it has no plan"
NOT_PLANNED: Final[Mapping[str, str]] = {
    "dma.TAKE_TURN": "LOCK; EXPLAIN takes none",
    "pump_health.DEFAULT_CLASS": "a word, no statement",
    "findings.PLAN_FOR_FILTERS": "SET; EXPLAIN takes none",
    "work_orders.PLAN_FOR_FILTERS": "SET; EXPLAIN takes none",
    "mappings.COUNT_LIMIT": "SET; EXPLAIN takes none",
    "migrate.COMMENT_LOG": DEFINES,
    "migrate.CREATE_LOG": DEFINES,
    "monitoring.COPY_READINGS": COPIES,
    "monitoring.COPY_STAGED": COPIES,
    "monitoring.STAGE_READINGS": DEFINES,
    "roles.BE_OWNER": "SET; EXPLAIN takes none",
    "roles.CREATE_ROLES": "DO; EXPLAIN takes none",
    "roles.GRANT_SCHEMA": "DO; EXPLAIN takes none",
    "roles.HAND_OVER": "DO; EXPLAIN takes none",
    "roles.ONLY_THE_OWNER_TRIMS": "DO; EXPLAIN takes none",
    "roles.READERS_POLICY": DEFINES,
    **dict.fromkeys(
        ("roles.API", "roles.INGEST", "roles.MIGRATE", "roles.READER", "scope.API"),
        "name of a role, no statement",
    ),
    "runs.KEY_PREFIX": "a word, no statement",
    "pool.SERVER_LIVENESS": "options of a session, no statement",
    "telemetry.COPY_STAGED": COPIES,
    "telemetry.COPY_TELEMETRY": COPIES,
    "telemetry.STAGE_TELEMETRY": DEFINES,
}
# Read once a sweep, a request or a login: never by reading a large table from end to end.
HOT: Final[Mapping[str, Mapping[str, Any]]] = {
    name: PARAMETERS[name]
    for name in (
        "telemetry.ENVELOPES_OF_SWEEPS", "telemetry.MOVE_LATEST", "telemetry.LAST_SWEEP_ID",
        "monitoring.RECENT_RUNS", "monitoring.SETTLE_SWEEP", "runs.RUN",
        "telemetry.STORED_BEFORE", "register.ASSET_BY_SERIAL", "register.SERIALS", "users.BY_NAME",
        "users.REHASH", "inbox.PAGE", "inbox.SET_STATE", "inbox.SETTLE_LINES", "mappings.PAST_ROWS",
        "mappings.SET_TAG_STATES", "quarantine.PAGE", "quarantine.STORED_ALREADY",
        "notify.COUNT_WAITING", "notify.GIVE_UP_OLD", "notify.DELIVERY", "notify.PAGE",
        "notify.RESEND", "notify.SETTLE",
        "notify.WAITING_OF_ROUTE", "notify.WAITING_ROUTES",
        "replays.CURRENT", "replays.ENVELOPES", "replays.NEXT_AT", "audit.NEWEST",
        "assets.PAGE_BY_SERIAL", "assets.PAGE_BY_SERIAL_DOWN", "assets.PAGE_BY_NAME",
        "assets.PAGE_BY_NAME_DOWN", "assets.PAGE_BY_DOMAIN", "assets.PAGE_BY_DMA",
        "assets.PAGE_BY_CATEGORY", "assets.PAGE_BY_CRITICALITY", "assets.PAGE_BY_STATUS",
        "assets.ONE", "assets.LOCK_ONE", "assets.OF_PAGE", "assets.CHANGE", "assets.TAGS",
        "cmms.BATCH", "conflicts.PAGE", "exports.EXPORT_REGISTER", "exports.EXPORT_TAGMAP",
        "merges.CURRENT_ASSETS", "merges.CURRENT_TAGS", "register.ASSETS_BY_SERIAL",
        "replays.RUN_BEGUN_AFTER", "history.ASSET_ID", "history.TAGS_OF_ASSET", "history.RAW_PAGE",
        "history.NEXT_READING", "history.BUCKETS", "rollups.ROLL_UP", "rollups.ROLL_UP_HOURS",
        "work_orders.ORDER", "work_orders.ORDERS",
        "work_orders.LOCK_ORDER", "work_orders.PAGE_BY_CREATED", "work_orders.PAGE_BY_DUE",
        "work_orders.PAGE_BY_PRIORITY", "work_orders.PAGE_BY_UPDATED",
        "work_orders.PAGE_OF_ASSET", "work_orders.OPEN_OF_ALARM", "work_orders.SAVE_ORDER",
        "work_orders.WATCHED", "work_orders.SET_RETURNED", "work_orders.FIND_ASSET",
        "findings.AGAIN", "findings.CLOSE", "findings.ONE", "findings.LOCK", "findings.EVIDENCE",
        "five_minutes.DAYS",
        "five_minutes.FIVE_MINUTES", "nrw.DAYS", "pump_health.DAYS", "pump_health.INDICES",
        "findings.SAVE", "findings.SEEN_AGAIN", "findings.WORST_NOW", "analytics.RUNS",
        "order_details.CHECKS", "order_details.LABOUR", "order_details.PARTS",
        "order_details.COMMENTS", "order_details.EVENTS", "order_details.COUNT_ENTRIES",
        "order_details.SET_CHECK", "attachments.ATTACHMENT", "attachments.ATTACHMENTS",
        "attachments.DELETE_ATTACHMENT", "idempotency.KEY", "idempotency.TAKE_KEY",
        "idempotency.KEEP_ANSWER", "idempotency.FREE_KEY", "plans.PLANS", "plans.LOCK_PLAN",
        "plans.NEWEST_HOURS",
        "plans.RUN_HOURS",
        "states.RECENT_EVENTS", "logins.FIND", "logins.USE", "logins.ENDED", "logins.OPEN",
        "logins.PROLONG", "logins.END", "users.ONE",
        "states.RECENT_EVENTS", "alarms.ALARM", "alarms.EVENTS", "alarms.LAST_IDS",
        "alarms.CLOSE_OTHERS", "alarms.OPEN_ALARMS", "alarms.OPEN_HOLDS", "alarms.PAGE",
        "alarms.PAGE_OF_SOURCES",
        "alarms.TRIM_ALARMS", "alarms.TRIM_EVENTS", "alarms.TRIM_HOLDS", "alarm_rules.RULE",
        "alarm_rules.NAME_TAKEN", "alarm_kpi.SLOTS", "network.VERSION", "network.DROP_NODES",
        "network.DROP_LINKS", "network.DROP_VALVES",
    )
}  # fmt: skip
NEWEST_ENVELOPES: Final = {"after": LAST_SWEEP - 5760, "last": LAST_SWEEP, "limit": 500}


def _sql_constants() -> dict[str, str]:
    found = {}
    for module in pkgutil.iter_modules(ic3.store.__path__):
        content = vars(importlib.import_module(f"ic3.store.{module.name}"))
        for name, text in content.items():
            if name.isupper() and name[0] != "_" and isinstance(text, str):
                found[f"{module.name}.{name}"] = text
    return found


CONSTANTS: Final = _sql_constants()


@pytest.fixture(scope="module")
def filled(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        dsn, cursor_factory=psycopg.ClientCursor, options="-c timezone=UTC"
    ) as connection:
        connection.execute(FILL)
        connection.execute(ANALYZE)
        connection.execute("SET plan_cache_mode = force_generic_plan")  # as the pool does
        for name in STAGING:
            connection.execute(CONSTANTS[name].encode())
        yield connection


@pytest.fixture(scope="module")
def large(filled: psycopg.Connection[Any]) -> set[str]:
    found = filled.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 1000")
    return {row[0] for row in found}


def _explain(connection: psycopg.Connection[Any], name: str, values: Mapping[str, Any]) -> Any:
    """The generic plan of a statement, which holds for any parameters."""
    numbers = {given: f"${number}" for number, given in enumerate(values, 1)}
    statement = PLACEHOLDER.sub(lambda found: numbers[found[1]], CONSTANTS[name])
    connection.execute(f"PREPARE planned {TYPES.get(name, '')} AS {statement}".encode())
    arguments = f"({', '.join(['%s'] * len(values))})" if values else ""
    cursor = connection.execute(
        f"EXPLAIN (FORMAT JSON) EXECUTE planned {arguments}".encode(), list(values.values()) or None
    )
    [row] = cursor.fetchall()
    connection.execute("DEALLOCATE planned")
    return row[0][0]["Plan"]


def _read_whole(plan: Mapping[str, Any]) -> set[str]:
    """Relations that a plan reads from end to end."""
    here = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return here.union(*(_read_whole(child) for child in plan.get("Plans", ())))


def test_every_sql_constant_is_planned_or_says_why_not() -> None:
    assert sorted(CONSTANTS) == sorted([*PARAMETERS, *NOT_PLANNED])


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_postgresql_understands_and_plans(filled: psycopg.Connection[Any], name: str) -> None:
    assert _explain(filled, name, PARAMETERS[name])["Total Cost"] >= 0


@pytest.mark.parametrize("name", sorted(HOT))
def test_a_hot_statement_reads_no_large_table_whole(
    filled: psycopg.Connection[Any], large: set[str], name: str
) -> None:
    assert _read_whole(_explain(filled, name, HOT[name])) & large == set()


def test_the_newest_envelopes_are_read_by_index(
    filled: psycopg.Connection[Any], large: set[str]
) -> None:
    plan = _explain(filled, "telemetry.ENVELOPES_OF_SWEEPS", NEWEST_ENVELOPES)
    assert _read_whole(plan) & large == set()


@pytest.mark.parametrize("name", [each for each in sorted(HOT) if ".PAGE_BY_" in each])
def test_a_list_of_orders_walks_its_index_and_sorts_nothing(
    filled: psycopg.Connection[Any], name: str
) -> None:
    filled.execute("SET plan_cache_mode = force_custom_plan")  # as the store does for lists
    plan = _explain(filled, name, HOT[name])
    filled.execute("SET plan_cache_mode = force_generic_plan")
    assert _kinds(plan) == {"Limit", "Index Scan"}


def _kinds(plan: Mapping[str, Any]) -> set[str]:
    return {plan["Node Type"]}.union(*(_kinds(child) for child in plan.get("Plans", ())))


def test_who_was_seen_is_looked_up_by_sweep(
    filled: psycopg.Connection[Any], large: set[str]
) -> None:
    telemetry = {name for name in large if name.startswith("telemetry")}
    assert len(telemetry) == 3
    plan = _explain(filled, "telemetry.SEE_ASSETS", PARAMETERS["telemetry.SEE_ASSETS"])
    assert _read_whole(plan) & telemetry == set()


def test_the_rows_are_enough_for_an_index_to_pay(large: set[str]) -> None:
    assert large >= {
        "ic3_asset_master", "ic3_asset_tag_map", "ic3_ingest_run_log", "ic3_sweep", "ic3_user",
        "asset_latest", "assets", "dead_letter", "ic3_delivery", "telemetry_20260614",
        "ic3_asset_monitoring_data_20260614",
    }  # fmt: skip
