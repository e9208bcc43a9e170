-- Rounds of the analytics, what their models have learned, and how far sensors can be trusted.

CREATE TABLE ic3_analytics_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker text NOT NULL CHECK (worker IN ('anomaly', 'pump-health', 'nrw')),
    run_at timestamptz NOT NULL,
    origin text NOT NULL CHECK (origin IN ('live', 'history')),
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    judged int NOT NULL DEFAULT 0,
    not_computed int NOT NULL DEFAULT 0,
    reasons jsonb NOT NULL DEFAULT '{}',
    opened int NOT NULL DEFAULT 0,
    updated int NOT NULL DEFAULT 0,
    closed int NOT NULL DEFAULT 0,
    duration_ms int NOT NULL DEFAULT 0,
    error_msg text
);
CREATE INDEX ON ic3_analytics_run (run_at);
CREATE INDEX ON ic3_analytics_run (worker, id);
COMMENT ON TABLE ic3_analytics_run IS 'One row per round of an analytics worker.';
COMMENT ON COLUMN ic3_analytics_run.id IS 'Number of the round.';
COMMENT ON COLUMN ic3_analytics_run.worker IS 'anomaly, pump-health or nrw.';
COMMENT ON COLUMN ic3_analytics_run.run_at IS 'When it began.';
COMMENT ON COLUMN ic3_analytics_run.origin IS 'live, or history where the past was analysed; that opens no finding.';
COMMENT ON COLUMN ic3_analytics_run.from_at IS 'Begin of the time it judged, inside.';
COMMENT ON COLUMN ic3_analytics_run.until_at IS 'Its end, outside.';
COMMENT ON COLUMN ic3_analytics_run.judged IS 'Assets or districts that were judged.';
COMMENT ON COLUMN ic3_analytics_run.not_computed IS 'Those that could not be.';
COMMENT ON COLUMN ic3_analytics_run.reasons IS 'Why not, reason to number.';
COMMENT ON COLUMN ic3_analytics_run.opened IS 'Findings opened; of history, those that would have been.';
COMMENT ON COLUMN ic3_analytics_run.updated IS 'Findings that still hold.';
COMMENT ON COLUMN ic3_analytics_run.closed IS 'Findings closed.';
COMMENT ON COLUMN ic3_analytics_run.duration_ms IS 'How long it took, in ms.';
COMMENT ON COLUMN ic3_analytics_run.error_msg IS 'Why it failed; null where it did not.';

CREATE TABLE ic3_model_state (
    worker text NOT NULL,
    subject text NOT NULL,
    model_version text NOT NULL,
    seen_until timestamptz NOT NULL,
    saved_at timestamptz NOT NULL,
    state bytea NOT NULL CHECK (octet_length(state) <= 16777216),
    PRIMARY KEY (worker, subject)
);
COMMENT ON TABLE ic3_model_state IS 'What the models of the analytics have learned, so that a restart loses nothing.';
COMMENT ON COLUMN ic3_model_state.worker IS 'Whose model it is.';
COMMENT ON COLUMN ic3_model_state.subject IS 'Assets of one shape, a pump or a district.';
COMMENT ON COLUMN ic3_model_state.model_version IS 'Version of the model; a state of another version is not taken up.';
COMMENT ON COLUMN ic3_model_state.seen_until IS 'End of what it has seen, outside.';
COMMENT ON COLUMN ic3_model_state.saved_at IS 'When it was saved.';
COMMENT ON COLUMN ic3_model_state.state IS 'The state as the model encodes it.';

CREATE TABLE ic3_sensor_trust (
    asset_id int NOT NULL,
    tag_code text NOT NULL,
    computed_at timestamptz NOT NULL,
    trust double precision NOT NULL,
    completeness double precision NOT NULL,
    timeliness double precision NOT NULL,
    validity double precision NOT NULL,
    liveness double precision NOT NULL,
    consistency double precision NOT NULL,
    PRIMARY KEY (asset_id, tag_code)
);
COMMENT ON TABLE ic3_sensor_trust IS 'How far each sensor can be trusted, over the last 24 hours.';
COMMENT ON COLUMN ic3_sensor_trust.asset_id IS 'Asset of the register.';
COMMENT ON COLUMN ic3_sensor_trust.tag_code IS 'Tag as the feed spells it.';
COMMENT ON COLUMN ic3_sensor_trust.computed_at IS 'End of those 24 hours.';
COMMENT ON COLUMN ic3_sensor_trust.trust IS 'From 0 to 100: 60 times the least of the five shares and 40 times their mean.';
COMMENT ON COLUMN ic3_sensor_trust.completeness IS 'Share of the five minutes with a value.';
COMMENT ON COLUMN ic3_sensor_trust.timeliness IS 'Share of them that were there in time.';
COMMENT ON COLUMN ic3_sensor_trust.validity IS 'Share of values that were good.';
COMMENT ON COLUMN ic3_sensor_trust.liveness IS 'Share of the time in which the value was not frozen.';
COMMENT ON COLUMN ic3_sensor_trust.consistency IS 'Share of the time in which it was as the model expects.';

ALTER TABLE ic3_sensor_trust ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON ic3_sensor_trust USING ((SELECT current_setting('ic3.domains', true)) = '*'
    OR asset_id IN (SELECT m.asset_id FROM ic3_asset_master m));
