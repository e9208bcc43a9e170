-- What the four roles need: row security where it was missing, and the register of readers.

-- Logins of other programs, members of ic3_ro. What they set as ic3.domains counts only if it is this.
CREATE TABLE ic3_reader (
    login name PRIMARY KEY,
    domains text NOT NULL
);
COMMENT ON TABLE ic3_reader IS 'Logins of the database that only read, and what they may see; filled by the administrator of the database.';
COMMENT ON COLUMN ic3_reader.login IS 'Login, a member of the role ic3_ro.';
COMMENT ON COLUMN ic3_reader.domains IS 'Its domains with commas between, or * for all; the same as the setting ic3.domains of the login.';

CREATE FUNCTION ic3_reader_domains() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public
RETURN (SELECT r.domains FROM ic3_reader r WHERE r.login = session_user);

DO $$
DECLARE
    all_of_them CONSTANT text := '(SELECT current_setting(''ic3.domains'', true)) = ''*''';
    somebody CONSTANT text := '(SELECT current_setting(''ic3.domains'', true)) <> ''''';
    -- Of an asset that nobody registered only the feed knows the domain.
    known CONSTANT text := 'IN (SELECT m.serialnumber FROM ic3_asset_master m UNION ALL SELECT a.asset_id FROM assets a)';
    scope record;
BEGIN
    FOR scope IN SELECT * FROM (VALUES
        ('ic3_asset_state', 'serial ' || known),
        ('ic3_feed_event', 'serial ' || known || ' OR (serial IS NULL AND ' || somebody || ')'),
        ('data_gap', 'asset_id ' || known || ' OR (asset_id = '''' AND ' || somebody || ')'),
        -- One row names keys of all domains: who shows it to somebody filters it first.
        ('ic3_sweep_keys', 'false'),
        ('ic3_alarm_hold', somebody || ' AND (domain IS NULL OR ic3_sees(domain))'
            ' AND (dma_id IS NULL OR dma_id IN (SELECT d.dma_id FROM ic3_dma d))'
            ' AND (source_kind IS DISTINCT FROM ''asset'' OR source IS NULL OR source ' || known || ')'),
        ('ic3_register_conflict', 'CASE subject WHEN ''parameters'' THEN ' || somebody ||
            ' ELSE key IN (SELECT m.serialnumber FROM ic3_asset_master m) END'),
        -- A rule that names nobody's domain and no asset is for all, and not for one of them to change.
        ('ic3_alarm_rule', '(domain IS NOT NULL OR serial IS NOT NULL)'
            ' AND (domain IS NULL OR ic3_sees(domain)) AND (serial IS NULL OR serial ' || known || ')'),
        ('ic3_network_node', 'dma_id IN (SELECT d.dma_id FROM ic3_dma d)'),
        ('ic3_network_link', 'dma_id IN (SELECT d.dma_id FROM ic3_dma d)'),
        ('ic3_network_valve', 'link_id IN (SELECT l.link_id FROM ic3_network_link l)')
    ) AS scopes (name, seen) LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', scope.name);
        EXECUTE format('CREATE POLICY scope ON %I USING (%s OR (%s))', scope.name, all_of_them, scope.seen);
    END LOOP;
    EXECUTE 'CREATE POLICY for_all ON ic3_alarm_rule FOR SELECT USING (' || somebody || ' AND domain IS NULL AND serial IS NULL)';
END $$;
