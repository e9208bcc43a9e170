-- Row security: the role of the API sees only the domains of who asks. The owner of the tables, who
-- ingests, is not concerned. Without the setting nothing is seen.

CREATE FUNCTION ic3_sees(domain text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(domain = ANY (string_to_array(current_setting('ic3.domains', true), ',')), false)
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['assets', 'asset_latest', 'telemetry', 'ic3_asset_master', 'ic3_dma'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY scope ON %I USING '
            '((SELECT current_setting(''ic3.domains'', true)) = ''*'' OR ic3_sees(domain))', name);
    END LOOP;
    -- Alarms of the program itself concern everybody.
    ALTER TABLE ic3_alarm ENABLE ROW LEVEL SECURITY;
    CREATE POLICY scope ON ic3_alarm USING (
        (SELECT current_setting('ic3.domains', true)) = '*'
        OR ((SELECT current_setting('ic3.domains', true)) <> '' AND source_kind = 'system')
        OR ic3_sees(domain));
    ALTER TABLE ic3_alarm_event ENABLE ROW LEVEL SECURITY;
    CREATE POLICY scope ON ic3_alarm_event USING (
        (SELECT current_setting('ic3.domains', true)) = '*'
        OR alarm_id IN (SELECT a.id FROM ic3_alarm a));
    -- What has no domain of its own has that of its asset.
    FOREACH name IN ARRAY ARRAY['ic3_asset_monitoring_data', 'ic3_asset_monitoring_latest', 'ic3_asset_tag_map',
            'ic3_rollup_5m', 'ic3_rollup_1h'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY scope ON %I USING ((SELECT current_setting(''ic3.domains'', true)) = ''*'' '
            'OR asset_id IN (SELECT m.asset_id FROM ic3_asset_master m))', name);
    END LOOP;
END $$;

-- A view of the owner would show what the caller may not see.
ALTER VIEW ic3_asset_latest_reading SET (security_invoker = true);
