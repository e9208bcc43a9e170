-- What the feed brings and nothing maps, the acts on it, and the past mapped again.

CREATE TABLE ic3_inbox (
    kind text NOT NULL CHECK (kind IN ('asset', 'tag')),
    serial text NOT NULL,
    tag_code text NOT NULL,
    domain text,
    value_type text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    times_seen bigint NOT NULL,
    samples jsonb NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'ignored', 'mapped')),
    note text,
    changed_at timestamptz,
    changed_by text,
    PRIMARY KEY (kind, serial, tag_code)
) WITH (fillfactor = 70);
CREATE INDEX ON ic3_inbox (tag_code);
COMMENT ON TABLE ic3_inbox IS 'Assets on the feed without a register row, and tags of registered assets without a map row; at most 100,000 lines.';
COMMENT ON COLUMN ic3_inbox.kind IS 'asset or tag.';
COMMENT ON COLUMN ic3_inbox.serial IS 'Serial number.';
COMMENT ON COLUMN ic3_inbox.tag_code IS 'Tag as the feed spells it; empty for an asset.';
COMMENT ON COLUMN ic3_inbox.domain IS 'Domain as the source says.';
COMMENT ON COLUMN ic3_inbox.value_type IS 'number, boolean or text, the newest that was not null; null for an asset.';
COMMENT ON COLUMN ic3_inbox.first_seen_at IS 'When it was first received.';
COMMENT ON COLUMN ic3_inbox.last_seen_at IS 'When it was last received, to within a minute.';
COMMENT ON COLUMN ic3_inbox.times_seen IS 'Envelopes it was met in; written once a minute.';
COMMENT ON COLUMN ic3_inbox.samples IS 'A tag: up to five different values, newest first. An asset: up to five tags with a value.';
COMMENT ON COLUMN ic3_inbox.state IS 'open, ignored or mapped.';
COMMENT ON COLUMN ic3_inbox.note IS 'Why it is ignored.';
COMMENT ON COLUMN ic3_inbox.changed_at IS 'When its state last changed.';
COMMENT ON COLUMN ic3_inbox.changed_by IS 'Who changed it; null where the register did.';

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    who text NOT NULL,
    role text NOT NULL,
    what text NOT NULL,
    whence text NOT NULL,
    object text NOT NULL,
    before jsonb,
    after jsonb
);
COMMENT ON TABLE audit_log IS 'Every act of a person, written in the transaction of the act; rows are only ever added.';
COMMENT ON COLUMN audit_log.id IS 'Number of the row.';
COMMENT ON COLUMN audit_log.at IS 'When the act''s transaction began.';
COMMENT ON COLUMN audit_log.who IS 'User name; on the command line the name of the account.';
COMMENT ON COLUMN audit_log.role IS 'Role the user had; account for the command line.';
COMMENT ON COLUMN audit_log.what IS 'Word for the act.';
COMMENT ON COLUMN audit_log.whence IS 'Address of the caller, or cli.';
COMMENT ON COLUMN audit_log.object IS 'What it was done to.';
COMMENT ON COLUMN audit_log.before IS 'How that was before; null where it was not.';
COMMENT ON COLUMN audit_log.after IS 'How it is after; null where it is gone.';

CREATE FUNCTION ic3_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log only grows: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION ic3_audit_only_grows();

CREATE TABLE ic3_replay (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('map', 're-map')),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    reason text NOT NULL,
    filter jsonb NOT NULL,
    registry_version bigint NOT NULL,
    began_at timestamptz,
    from_at timestamptz,
    until_at timestamptz,
    cursor_at timestamptz,
    cursor_serial text,
    cursor_record text,
    rows_done bigint NOT NULL DEFAULT 0,
    envelopes_done bigint NOT NULL DEFAULT 0,
    envelopes_total bigint,
    error text,
    finished_at timestamptz
);
CREATE INDEX ON ic3_replay (id) WHERE state IN ('waiting', 'running');
COMMENT ON TABLE ic3_replay IS 'Jobs that map stored telemetry again with the current register.';
COMMENT ON COLUMN ic3_replay.id IS 'Number of the job.';
COMMENT ON COLUMN ic3_replay.kind IS 'map adds what is missing; re-map also corrects the parameter of rows that are there.';
COMMENT ON COLUMN ic3_replay.state IS 'waiting, running, done, failed or cancelled.';
COMMENT ON COLUMN ic3_replay.created_at IS 'When it was asked for.';
COMMENT ON COLUMN ic3_replay.created_by IS 'Who asked for it.';
COMMENT ON COLUMN ic3_replay.reason IS 'Why.';
COMMENT ON COLUMN ic3_replay.filter IS 'register_ids, tag_codes, from_at, until_at; null or absent is no bound.';
COMMENT ON COLUMN ic3_replay.registry_version IS 'It begins once live readings are mapped by this version of the register.';
COMMENT ON COLUMN ic3_replay.began_at IS 'When its first batch began.';
COMMENT ON COLUMN ic3_replay.from_at IS 'The source''s time of the first envelope it met.';
COMMENT ON COLUMN ic3_replay.until_at IS 'The source''s time it goes up to.';
COMMENT ON COLUMN ic3_replay.cursor_at IS 'Done up to this time of the source; with serial and record the key of the last envelope.';
COMMENT ON COLUMN ic3_replay.cursor_serial IS 'Serial number of the last envelope; empty at the end of a span.';
COMMENT ON COLUMN ic3_replay.cursor_record IS 'Its record.';
COMMENT ON COLUMN ic3_replay.rows_done IS 'Monitoring rows added or corrected.';
COMMENT ON COLUMN ic3_replay.envelopes_done IS 'Envelopes mapped again.';
COMMENT ON COLUMN ic3_replay.envelopes_total IS 'How many the inbox had seen when it was asked for; null where that is not known.';
COMMENT ON COLUMN ic3_replay.error IS 'Why it failed.';
COMMENT ON COLUMN ic3_replay.finished_at IS 'When it ended, however.';
