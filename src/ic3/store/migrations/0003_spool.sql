-- What became of every envelope, beside the spool; and readings that are missing.

ALTER TABLE ic3_sweep
    ADD COLUMN keys_listed int NOT NULL DEFAULT 0,
    ADD COLUMN read_ok int NOT NULL DEFAULT 0,
    ADD COLUMN dead int NOT NULL DEFAULT 0,
    ADD COLUMN gap int NOT NULL DEFAULT 0,
    ADD COLUMN deferred_by jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN tags int,
    ADD COLUMN rows_inserted int,
    ADD COLUMN rows_duplicate int,
    ADD COLUMN tags_skipped int,
    ADD COLUMN tags_refused int,
    ADD COLUMN spool text,
    ADD COLUMN spool_id bigint;
CREATE UNIQUE INDEX ON ic3_sweep (spool, spool_id);
COMMENT ON COLUMN ic3_sweep.accepted IS 'Envelopes taken: stored + duplicate + dead + gap.';
COMMENT ON COLUMN ic3_sweep.keys_listed IS 'Entries of the gateway''s list, as they came.';
COMMENT ON COLUMN ic3_sweep.read_ok IS 'Keys that were answered: unchanged + quarantined + accepted.';
COMMENT ON COLUMN ic3_sweep.dead IS 'Accepted envelopes that PostgreSQL refused; they are in dead_letter.';
COMMENT ON COLUMN ic3_sweep.gap IS 'Accepted envelopes that the full spool gave up; they are counted in data_gap.';
COMMENT ON COLUMN ic3_sweep.deferred_by IS 'Reason to number of keys that were not asked for.';
COMMENT ON COLUMN ic3_sweep.tags IS 'Tags of its matched envelopes of plausible time; null before its run.';
COMMENT ON COLUMN ic3_sweep.rows_inserted IS 'Of them written as monitoring rows.';
COMMENT ON COLUMN ic3_sweep.rows_duplicate IS 'Of them in the monitoring data already.';
COMMENT ON COLUMN ic3_sweep.tags_skipped IS 'Of them without a row in the tag map.';
COMMENT ON COLUMN ic3_sweep.tags_refused IS 'Of them rejected for their value or name.';
COMMENT ON COLUMN ic3_sweep.spool IS 'Identity of the spool file it came through; null for history.';
COMMENT ON COLUMN ic3_sweep.spool_id IS 'Its number in that file.';

CREATE TABLE ic3_sweep_keys (
    sweep_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    keys jsonb NOT NULL
);
CREATE INDEX ON ic3_sweep_keys (at);
COMMENT ON TABLE ic3_sweep_keys IS 'Which keys of a sweep failed, were late, unmatched and so on; at most 1,000 a sweep, kept 48 h.';
COMMENT ON COLUMN ic3_sweep_keys.sweep_id IS 'The sweep.';
COMMENT ON COLUMN ic3_sweep_keys.at IS 'When it began.';
COMMENT ON COLUMN ic3_sweep_keys.keys IS 'What became of them to list of keys; unmapped tags as serial number, line feed, tag.';

CREATE TABLE data_gap (
    spool text NOT NULL,
    cause text NOT NULL,
    asset_id text NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    readings bigint NOT NULL,
    estimated boolean NOT NULL,
    PRIMARY KEY (from_at, cause, asset_id, spool)
);
COMMENT ON TABLE data_gap IS 'Readings that are missing, one row an asset and outage.';
COMMENT ON COLUMN data_gap.spool IS 'Identity of the spool file that counted them.';
COMMENT ON COLUMN data_gap.cause IS 'Why they are missing.';
COMMENT ON COLUMN data_gap.asset_id IS 'Serial number; empty where it is the whole plant.';
COMMENT ON COLUMN data_gap.from_at IS 'First moment.';
COMMENT ON COLUMN data_gap.to_at IS 'Last moment.';
COMMENT ON COLUMN data_gap.readings IS 'How many envelopes; 0 where nobody knows.';
COMMENT ON COLUMN data_gap.estimated IS 'Whether the number is worked out: the gateway never offered them to us.';
