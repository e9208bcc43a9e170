-- Users with a scope, their logins, keys of programs, and the chain of the audit log.

ALTER TABLE ic3_user
    ADD COLUMN full_name text,
    ADD COLUMN domains text[],
    ADD COLUMN must_change boolean NOT NULL DEFAULT false,
    ADD COLUMN epoch int NOT NULL DEFAULT 1,
    ADD COLUMN version int NOT NULL DEFAULT 1;
COMMENT ON COLUMN ic3_user.full_name IS 'Name for people; null where none was given.';
COMMENT ON COLUMN ic3_user.domains IS 'Domains whose rows the user may see; null is all.';
COMMENT ON COLUMN ic3_user.must_change IS 'Whether the password is to be changed at the next login.';
COMMENT ON COLUMN ic3_user.epoch IS 'Grows with every change of rights or password; tokens of an older one count no more.';
COMMENT ON COLUMN ic3_user.version IS 'Grows with every change of the row.';

CREATE TABLE ic3_login (
    login_id text PRIMARY KEY,
    username text NOT NULL,
    began_at timestamptz NOT NULL,
    used_at timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    whence text NOT NULL,
    client text NOT NULL,
    ended_at timestamptz,
    ended_by text
);
CREATE INDEX ON ic3_login (username, used_at);
CREATE INDEX ON ic3_login (ended_at);
CREATE INDEX ON ic3_login (expires_at);
COMMENT ON TABLE ic3_login IS 'Logins: each is a family of refresh tokens, of which the newest counts.';
COMMENT ON COLUMN ic3_login.login_id IS 'Random number, also in its access tokens.';
COMMENT ON COLUMN ic3_login.username IS 'Whose.';
COMMENT ON COLUMN ic3_login.began_at IS 'When the password was given.';
COMMENT ON COLUMN ic3_login.used_at IS 'When it was last refreshed.';
COMMENT ON COLUMN ic3_login.confirmed_at IS 'When the password was last given.';
COMMENT ON COLUMN ic3_login.expires_at IS 'When it ends by itself.';
COMMENT ON COLUMN ic3_login.whence IS 'Address of the caller.';
COMMENT ON COLUMN ic3_login.client IS 'What the program calls itself, cut.';
COMMENT ON COLUMN ic3_login.ended_at IS 'When it was ended; null while it counts.';
COMMENT ON COLUMN ic3_login.ended_by IS 'logout, password, disabled, admin, or reuse of an old refresh token.';

CREATE TABLE ic3_refresh_token (
    token_hash bytea PRIMARY KEY,
    login_id text NOT NULL,
    issued_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX ON ic3_refresh_token (login_id);
COMMENT ON TABLE ic3_refresh_token IS 'Every refresh token of the logins that are kept; one that comes back after its use ends its login.';
COMMENT ON COLUMN ic3_refresh_token.token_hash IS 'SHA-256 of the token.';
COMMENT ON COLUMN ic3_refresh_token.login_id IS 'Its login.';
COMMENT ON COLUMN ic3_refresh_token.issued_at IS 'When it was made.';
COMMENT ON COLUMN ic3_refresh_token.used_at IS 'When it was exchanged for the next; null for the newest.';

CREATE TABLE ic3_api_key (
    key_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    key_hash bytea NOT NULL UNIQUE,
    hint text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'operator', 'engineer')),
    domains text[],
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz
);
COMMENT ON TABLE ic3_api_key IS 'Keys of programs: a role, a scope and an end each.';
COMMENT ON COLUMN ic3_api_key.key_id IS 'Number of the key.';
COMMENT ON COLUMN ic3_api_key.name IS 'What it is for; stands in the audit log.';
COMMENT ON COLUMN ic3_api_key.key_hash IS 'SHA-256 of the key, which has 256 random bits.';
COMMENT ON COLUMN ic3_api_key.hint IS 'Its first characters, to know it again.';
COMMENT ON COLUMN ic3_api_key.role IS 'viewer, operator or engineer; never admin.';
COMMENT ON COLUMN ic3_api_key.domains IS 'Domains whose rows it may see; null is all.';
COMMENT ON COLUMN ic3_api_key.created_at IS 'When it was made.';
COMMENT ON COLUMN ic3_api_key.created_by IS 'Who made it.';
COMMENT ON COLUMN ic3_api_key.expires_at IS 'When it ends by itself.';
COMMENT ON COLUMN ic3_api_key.used_at IS 'When it was last used, to a minute.';
COMMENT ON COLUMN ic3_api_key.revoked_at IS 'When it was ended; null while it counts.';

-- Each row of the audit log holds the hash of the one before: an altered row is found.
ALTER TABLE audit_log
    ADD COLUMN chain bigint,
    ADD COLUMN hash bytea;
COMMENT ON COLUMN audit_log.chain IS 'Place in the chain, without a hole.';
COMMENT ON COLUMN audit_log.hash IS 'SHA-256 of the hash before and of all that the row says.';

CREATE FUNCTION ic3_audit_hash(link audit_log, before_it bytea) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(before_it || convert_to(jsonb_build_array(
        link.chain, link.id, (extract(epoch FROM link.at) * 1000000)::bigint, link.who, link.role,
        link.what, link.whence, link.object, link.before, link.after)::text, 'UTF8'))
$$;

CREATE FUNCTION ic3_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest audit_log;
BEGIN
    -- One writer at a time, until its transaction ends: the next one must see this row.
    PERFORM pg_advisory_xact_lock(7253004);
    SELECT * INTO newest FROM audit_log WHERE chain IS NOT NULL ORDER BY chain DESC LIMIT 1;
    NEW.chain := coalesce(newest.chain, 0) + 1;
    NEW.hash := ic3_audit_hash(NEW, coalesce(newest.hash, ''::bytea));
    RETURN NEW;
END $$;

-- The first row after those that retention took away names the last of them.
CREATE TABLE ic3_audit_cut (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    chain bigint NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL
);
COMMENT ON TABLE ic3_audit_cut IS 'Where the audit log begins: the last row that retention deleted.';
COMMENT ON COLUMN ic3_audit_cut.only_row IS 'There is one.';
COMMENT ON COLUMN ic3_audit_cut.chain IS 'Its place in the chain.';
COMMENT ON COLUMN ic3_audit_cut.hash IS 'Its hash.';
COMMENT ON COLUMN ic3_audit_cut.at IS 'When it was deleted.';

ALTER TABLE audit_log DISABLE TRIGGER only_grows;
DO $$
DECLARE
    link audit_log;
    place bigint := 0;
    before_it bytea := '';
BEGIN
    FOR link IN SELECT * FROM audit_log ORDER BY id LOOP
        place := place + 1;
        link.chain := place;
        before_it := ic3_audit_hash(link, before_it);
        UPDATE audit_log SET chain = place, hash = before_it WHERE id = link.id;
    END LOOP;
END $$;
ALTER TABLE audit_log ENABLE TRIGGER only_grows;
CREATE UNIQUE INDEX ON audit_log (chain);
CREATE INDEX ON audit_log (at);
ALTER TABLE audit_log ALTER COLUMN chain SET NOT NULL, ALTER COLUMN hash SET NOT NULL;
CREATE TRIGGER chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION ic3_audit_chain();

-- The first row that does not follow from the one before it; none where the log is whole.
CREATE FUNCTION ic3_audit_broken() RETURNS TABLE (chain bigint, why text) LANGUAGE sql STABLE AS $$
    WITH linked AS (
        SELECT a.chain, a.hash,
            ic3_audit_hash(a, coalesce(lag(a.hash) OVER w, cut.hash, ''::bytea)) AS follows,
            coalesce(lag(a.chain) OVER w, cut.chain, 0) AS before_it
        FROM audit_log a LEFT JOIN ic3_audit_cut cut ON true
        WINDOW w AS (ORDER BY a.chain)
    )
    SELECT chain, CASE WHEN chain <> before_it + 1 THEN 'rows before it are missing'
        ELSE 'it or the row before it was altered' END
    FROM linked WHERE hash <> follows OR chain <> before_it + 1
    ORDER BY chain LIMIT 1
$$;

-- Retention is the one way a row leaves, oldest first, never one younger than 180 days.
CREATE FUNCTION ic3_audit_trim(before_at timestamptz, most int) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    last_one audit_log;
    taken bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7253004);
    SELECT * INTO last_one FROM (
        SELECT * FROM audit_log WHERE at < least(before_at, now() - interval '180 days')
        ORDER BY chain LIMIT most) old
    ORDER BY old.chain DESC LIMIT 1;
    IF last_one.chain IS NULL THEN
        RETURN 0;
    END IF;
    ALTER TABLE audit_log DISABLE TRIGGER only_grows;
    DELETE FROM audit_log a WHERE a.chain <= last_one.chain;
    GET DIAGNOSTICS taken = ROW_COUNT;
    ALTER TABLE audit_log ENABLE TRIGGER only_grows;
    INSERT INTO ic3_audit_cut (chain, hash, at) VALUES (last_one.chain, last_one.hash, now())
    ON CONFLICT (only_row) DO UPDATE SET chain = excluded.chain, hash = excluded.hash, at = excluded.at;
    RETURN taken;
END $$;
