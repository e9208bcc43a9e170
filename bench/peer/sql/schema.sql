DROP TABLE IF EXISTS ic3_asset_monitoring_data, ic3_asset_latest_reading, ic3_asset_tag_map, ic3_parameter_master, ic3_asset_master, ic3_ingest_run_log CASCADE;
CREATE TABLE ic3_asset_master(asset_id int PRIMARY KEY, serialnumber text NOT NULL UNIQUE);
CREATE TABLE ic3_parameter_master(param_id int PRIMARY KEY, parameter_name text NOT NULL, param_tag_code text NOT NULL, unit text);
CREATE TABLE ic3_asset_tag_map(asset_id int NOT NULL, tag_code text NOT NULL, param_id int NOT NULL, PRIMARY KEY(asset_id, tag_code));
CREATE TABLE ic3_asset_monitoring_data(
  asset_id int NOT NULL, tag_code text NOT NULL, param_id int NOT NULL, value_num double precision, value_text text, recorded_at timestamptz NOT NULL
) PARTITION BY RANGE (recorded_at);
CREATE UNIQUE INDEX md_uq ON ic3_asset_monitoring_data(asset_id, tag_code, recorded_at);
-- One partition a UTC day: yesterday to two days ahead (a gateway with -fresh) and the gateway's fixed dates.
DO $$
DECLARE d date; today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  FOR d IN SELECT generate_series(today - 1, today + 2, interval '1 day')::date
           UNION SELECT generate_series(date '2026-06-15', date '2026-06-24', interval '1 day')::date ORDER BY 1 LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS md_%s PARTITION OF ic3_asset_monitoring_data FOR VALUES FROM (%L) TO (%L)',
                   to_char(d, 'YYYYMMDD'), d || ' 00:00:00+00', (d + 1) || ' 00:00:00+00');
  END LOOP;
END $$;
CREATE TABLE ic3_asset_latest_reading(asset_id int NOT NULL, tag_code text NOT NULL, param_id int NOT NULL, value_num double precision, value_text text, recorded_at timestamptz NOT NULL, PRIMARY KEY(asset_id, tag_code)) WITH (fillfactor=70);
CREATE TABLE ic3_ingest_run_log (id bigserial PRIMARY KEY, run_at timestamp DEFAULT now(), keys_scanned int DEFAULT 0, matched int DEFAULT 0, unmatched int DEFAULT 0, rows_inserted int DEFAULT 0, tags_skipped int DEFAULT 0, duration_ms int DEFAULT 0, error_msg text);
