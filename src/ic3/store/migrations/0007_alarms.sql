-- Alarms, their history, what holds them back, and the rules that raise them.

CREATE TABLE ic3_alarm (
    id bigint PRIMARY KEY,
    version int NOT NULL,
    source_kind text NOT NULL CHECK (source_kind IN ('asset', 'dma', 'system')),
    source text NOT NULL,
    condition text NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 4),
    state text NOT NULL CHECK (state IN ('unacknowledged', 'acknowledged', 'returned', 'cleared')),
    active boolean NOT NULL,
    text text NOT NULL,
    domain text,
    dma_id text,
    tag text,
    value double precision,
    limit_value double precision,
    unit text,
    rule_id bigint,
    notify jsonb NOT NULL,
    evidence jsonb,
    raised_at timestamptz NOT NULL,
    returned_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    cleared_at timestamptz,
    flaps int NOT NULL,
    comments int NOT NULL,
    held text CHECK (held IN ('shelved', 'suppressed', 'out_of_service')),
    hold_id bigint
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ic3_alarm_open ON ic3_alarm (source_kind, source, condition) WHERE state <> 'cleared';
CREATE INDEX ON ic3_alarm (raised_at, id);
CREATE INDEX ON ic3_alarm (source, raised_at, id);
CREATE INDEX ON ic3_alarm (cleared_at) WHERE cleared_at IS NOT NULL;
COMMENT ON TABLE ic3_alarm IS 'One row an occurrence of a condition, from raise to clear; of a source and condition at most one is open. The running server owns it; closed ones are kept for 400 days and to 500,000.';
COMMENT ON COLUMN ic3_alarm.id IS 'Number of the alarm.';
COMMENT ON COLUMN ic3_alarm.version IS 'Grows by one with each change; the first is 1.';
COMMENT ON COLUMN ic3_alarm.source_kind IS 'asset, dma or system.';
COMMENT ON COLUMN ic3_alarm.source IS 'Serial number, DMA or part of the program.';
COMMENT ON COLUMN ic3_alarm.condition IS 'What is wrong, short and stable, such as PRESSURE.low.';
COMMENT ON COLUMN ic3_alarm.priority IS '1 critical, 2 high, 3 medium, 4 low; the worst it had.';
COMMENT ON COLUMN ic3_alarm.state IS 'unacknowledged, acknowledged, returned (over, but nobody knows of it) or cleared.';
COMMENT ON COLUMN ic3_alarm.active IS 'Whether the condition holds.';
COMMENT ON COLUMN ic3_alarm.text IS 'For people, one line.';
COMMENT ON COLUMN ic3_alarm.domain IS 'Domain of the source.';
COMMENT ON COLUMN ic3_alarm.dma_id IS 'District metered area of the source.';
COMMENT ON COLUMN ic3_alarm.tag IS 'Tag that was judged.';
COMMENT ON COLUMN ic3_alarm.value IS 'What was measured when it was raised.';
COMMENT ON COLUMN ic3_alarm.limit_value IS 'What the value crossed.';
COMMENT ON COLUMN ic3_alarm.unit IS 'Unit of value and limit.';
COMMENT ON COLUMN ic3_alarm.rule_id IS 'Rule that raised it; null where no rule did.';
COMMENT ON COLUMN ic3_alarm.notify IS 'Names of the routes that are told; empty where the routes choose.';
COMMENT ON COLUMN ic3_alarm.evidence IS 'What the source shows with it.';
COMMENT ON COLUMN ic3_alarm.raised_at IS 'When it was first raised.';
COMMENT ON COLUMN ic3_alarm.returned_at IS 'When its condition last was over; null while it holds.';
COMMENT ON COLUMN ic3_alarm.acknowledged_at IS 'When somebody acknowledged it; null again where it calls again.';
COMMENT ON COLUMN ic3_alarm.acknowledged_by IS 'Who acknowledged it.';
COMMENT ON COLUMN ic3_alarm.cleared_at IS 'When it was closed; null while it is open.';
COMMENT ON COLUMN ic3_alarm.flaps IS 'How often the condition came back while it was open.';
COMMENT ON COLUMN ic3_alarm.comments IS 'How many comments it has.';
COMMENT ON COLUMN ic3_alarm.held IS 'Why it calls nobody: shelved, suppressed or out_of_service; null where it calls.';
COMMENT ON COLUMN ic3_alarm.hold_id IS 'The hold that keeps it from calling.';

CREATE TABLE ic3_alarm_event (
    alarm_id bigint NOT NULL,
    version int NOT NULL,
    at timestamptz NOT NULL,
    what text NOT NULL CHECK (what IN ('new', 'ack', 'return', 'clear', 'shelve', 'unshelve', 'comment')),
    state text NOT NULL,
    active boolean NOT NULL,
    priority smallint NOT NULL,
    value double precision,
    held text,
    hold_id bigint,
    who text,
    note text,
    PRIMARY KEY (alarm_id, version)
);
CREATE INDEX ON ic3_alarm_event (at);
COMMENT ON TABLE ic3_alarm_event IS 'History of alarms, one row a change; kept as long as the alarm, at most 400 days and 2,000,000 rows.';
COMMENT ON COLUMN ic3_alarm_event.alarm_id IS 'The alarm.';
COMMENT ON COLUMN ic3_alarm_event.version IS 'Version of the alarm that it made; a missing one was lost while the database was away too long.';
COMMENT ON COLUMN ic3_alarm_event.at IS 'When it happened.';
COMMENT ON COLUMN ic3_alarm_event.what IS 'new (it calls, also again), ack, return, clear, shelve, unshelve or comment.';
COMMENT ON COLUMN ic3_alarm_event.state IS 'State of the alarm afterwards.';
COMMENT ON COLUMN ic3_alarm_event.active IS 'Whether the condition held afterwards.';
COMMENT ON COLUMN ic3_alarm_event.priority IS 'Priority of the alarm afterwards.';
COMMENT ON COLUMN ic3_alarm_event.value IS 'What was measured when it last called.';
COMMENT ON COLUMN ic3_alarm_event.held IS 'Why it called nobody afterwards; null where it called.';
COMMENT ON COLUMN ic3_alarm_event.hold_id IS 'The hold that kept it from calling.';
COMMENT ON COLUMN ic3_alarm_event.who IS 'User name; null where it was the plant or the clock.';
COMMENT ON COLUMN ic3_alarm_event.note IS 'What they said.';

CREATE TABLE ic3_alarm_hold (
    id bigint PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('shelved', 'suppressed', 'out_of_service')),
    reason text NOT NULL,
    who text NOT NULL,
    from_at timestamptz NOT NULL,
    until_at timestamptz,
    source_kind text CHECK (source_kind IN ('asset', 'dma', 'system')),
    source text,
    condition text,
    domain text,
    dma_id text,
    ended_at timestamptz,
    ended_by text
);
CREATE INDEX ON ic3_alarm_hold (id) WHERE ended_at IS NULL;
CREATE INDEX ON ic3_alarm_hold (ended_at) WHERE ended_at IS NOT NULL;
COMMENT ON TABLE ic3_alarm_hold IS 'What keeps alarms from calling: shelves, maintenance windows, assets out of service; an absent selector matches everything. Ended ones are kept for 400 days.';
COMMENT ON COLUMN ic3_alarm_hold.id IS 'Number of the hold.';
COMMENT ON COLUMN ic3_alarm_hold.kind IS 'shelved, suppressed (a maintenance window) or out_of_service.';
COMMENT ON COLUMN ic3_alarm_hold.reason IS 'Why.';
COMMENT ON COLUMN ic3_alarm_hold.who IS 'Who made it.';
COMMENT ON COLUMN ic3_alarm_hold.from_at IS 'From when it holds.';
COMMENT ON COLUMN ic3_alarm_hold.until_at IS 'Until when; null where only a person ends it.';
COMMENT ON COLUMN ic3_alarm_hold.source_kind IS 'Only sources of this kind: asset, dma or system.';
COMMENT ON COLUMN ic3_alarm_hold.source IS 'Only this source.';
COMMENT ON COLUMN ic3_alarm_hold.condition IS 'Only this condition.';
COMMENT ON COLUMN ic3_alarm_hold.domain IS 'Only this domain.';
COMMENT ON COLUMN ic3_alarm_hold.dma_id IS 'Only this district metered area.';
COMMENT ON COLUMN ic3_alarm_hold.ended_at IS 'When it ended; null while it stands.';
COMMENT ON COLUMN ic3_alarm_hold.ended_by IS 'Who ended it; null where its time was over.';

CREATE TABLE ic3_alarm_rule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL,
    enabled boolean NOT NULL,
    parameter text,
    category text,
    domain text,
    dma_id text,
    serial text,
    limit_value double precision,
    states jsonb NOT NULL,
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 4),
    deadband double precision NOT NULL,
    on_delay_s double precision NOT NULL,
    off_delay_s double precision NOT NULL,
    notify jsonb NOT NULL,
    text text NOT NULL,
    version int NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text
);
COMMENT ON TABLE ic3_alarm_rule IS 'When an asset calls; an absent selector matches every asset.';
COMMENT ON COLUMN ic3_alarm_rule.id IS 'Number of the rule.';
COMMENT ON COLUMN ic3_alarm_rule.name IS 'Name for people; of every rule another.';
COMMENT ON COLUMN ic3_alarm_rule.kind IS 'high_high, high, low, low_low, rate, state, stale or quality.';
COMMENT ON COLUMN ic3_alarm_rule.enabled IS 'Whether it is used.';
COMMENT ON COLUMN ic3_alarm_rule.parameter IS 'Code of the parameter that is judged.';
COMMENT ON COLUMN ic3_alarm_rule.category IS 'Only assets of this category.';
COMMENT ON COLUMN ic3_alarm_rule.domain IS 'Only assets of this domain.';
COMMENT ON COLUMN ic3_alarm_rule.dma_id IS 'Only assets of this district metered area.';
COMMENT ON COLUMN ic3_alarm_rule.serial IS 'Only this asset.';
COMMENT ON COLUMN ic3_alarm_rule.limit_value IS 'In the parameter''s unit; of a rate in units a minute.';
COMMENT ON COLUMN ic3_alarm_rule.states IS 'Numbers or words that call, of a rule of kind state.';
COMMENT ON COLUMN ic3_alarm_rule.priority IS '1 critical, 2 high, 3 medium, 4 low.';
COMMENT ON COLUMN ic3_alarm_rule.deadband IS 'How far the value must come back before the alarm returns.';
COMMENT ON COLUMN ic3_alarm_rule.on_delay_s IS 'Seconds the condition must hold before the alarm is raised.';
COMMENT ON COLUMN ic3_alarm_rule.off_delay_s IS 'Seconds it must be over before the alarm returns.';
COMMENT ON COLUMN ic3_alarm_rule.notify IS 'Names of the routes that are told; empty where the routes choose.';
COMMENT ON COLUMN ic3_alarm_rule.text IS 'For people, put before what was measured.';
COMMENT ON COLUMN ic3_alarm_rule.version IS 'Grows by one with each change; a change names the one it was made on.';
COMMENT ON COLUMN ic3_alarm_rule.changed_at IS 'When it was last changed.';
COMMENT ON COLUMN ic3_alarm_rule.changed_by IS 'Who changed it; null where it is as delivered.';

CREATE TABLE ic3_alarm_rule_version (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL
);
INSERT INTO ic3_alarm_rule_version (version) VALUES (0);
COMMENT ON TABLE ic3_alarm_rule_version IS 'Grows with every change of a rule.';
COMMENT ON COLUMN ic3_alarm_rule_version.one IS 'Keeps the table at one row.';
COMMENT ON COLUMN ic3_alarm_rule_version.version IS 'Readers load the rules again when it differs; 0 until the rules as delivered were inserted, which is done once.';

CREATE FUNCTION ic3_alarm_rules_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ic3_alarm_rule_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ic3_alarm_rule
    FOR EACH STATEMENT EXECUTE FUNCTION ic3_alarm_rules_changed();
