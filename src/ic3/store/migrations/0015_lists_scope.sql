-- Row security of the lists that engineers work through, as 0013 has it for assets.

DO $$
DECLARE
    all_of_them CONSTANT text := '(SELECT current_setting(''ic3.domains'', true)) = ''*''';
BEGIN
    -- A tag is that of a registered asset; of an asset that nobody registered only the feed knows the domain.
    ALTER TABLE ic3_inbox ENABLE ROW LEVEL SECURITY;
    EXECUTE 'CREATE POLICY scope ON ic3_inbox USING (' || all_of_them || ' OR CASE kind '
        'WHEN ''tag'' THEN serial IN (SELECT m.serialnumber FROM ic3_asset_master m) '
        'ELSE ic3_sees(domain) END)';
    -- What names no known asset is in the scope of all only.
    ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
    EXECUTE 'CREATE POLICY scope ON dead_letter USING (' || all_of_them || ' OR key IN ('
        'SELECT convert_to(''ic3:latest:'' || m.serialnumber, ''UTF8'') FROM ic3_asset_master m '
        'UNION ALL SELECT convert_to(''ic3:latest:'' || a.asset_id, ''UTF8'') FROM assets a))';
    -- A job without a list of assets is one of the whole plant.
    ALTER TABLE ic3_replay ENABLE ROW LEVEL SECURITY;
    EXECUTE 'CREATE POLICY scope ON ic3_replay USING (' || all_of_them || ' OR filter -> ''register_ids'' '
        '<@ (SELECT jsonb_agg(m.asset_id) FROM ic3_asset_master m))';
    ALTER TABLE ic3_delivery ENABLE ROW LEVEL SECURITY;
    EXECUTE 'CREATE POLICY scope ON ic3_delivery USING (' || all_of_them || ' OR alarm_id IN '
        '(SELECT a.id FROM ic3_alarm a))';
END $$;
