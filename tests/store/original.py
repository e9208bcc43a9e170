"""Databases of the original backend, with rows: as its contract names the tables, and a variant."""

from typing import Final

PLAIN: Final = """
CREATE TABLE assets (asset_id text PRIMARY KEY, system_id text, domain text, protocol text,
    first_seen timestamp DEFAULT now(), last_seen timestamp DEFAULT now());
CREATE TABLE asset_latest (asset_id text PRIMARY KEY, record_id text, occurred_at timestamptz,
    values jsonb, quality text, alarm text, domain text);
CREATE TABLE telemetry (record_id text, system_id text, asset_id text, domain text, protocol text,
    occurred_at timestamptz, values jsonb, quality text, alarm text,
    received_at timestamptz DEFAULT now(), PRIMARY KEY (record_id));
CREATE INDEX telemetry_sweep_id_idx ON telemetry (asset_id);
CREATE TABLE ic3_asset_master (asset_id int NOT NULL PRIMARY KEY, serialnumber text UNIQUE,
    cmms_asset_id text, traceability_id text, barcode text, criticality text, capacity_rating text,
    in_charge_person text, status text, asset_live_status text, ticketcount int,
    schedulecount int, category text, dma_id text);
CREATE TABLE ic3_dma (dma_id text PRIMARY KEY, name text, domain text, boundary text);
CREATE TABLE ic3_parameter_master (param_id int NOT NULL, parameter_name text,
    param_tag_code text, unit text);
CREATE TABLE ic3_asset_tag_map (asset_id int, tag_code text, param_id int);
CREATE TABLE ic3_asset_monitoring_data (asset_id int, tag_code text, param_id int,
    value_num double precision, value_text text, recorded_at timestamp);
CREATE TABLE ic3_ingest_run_log (id bigserial PRIMARY KEY, run_at timestamp DEFAULT now(),
    keys_scanned int DEFAULT 0, matched int DEFAULT 0, unmatched int DEFAULT 0,
    rows_inserted int DEFAULT 0, tags_skipped int DEFAULT 0, duration_ms int DEFAULT 0,
    error_msg text);
INSERT INTO assets VALUES ('A', 'A', 'DEL-D08', 'rest');
INSERT INTO asset_latest VALUES ('A', 'r', '2026-06-14 01:00Z', '{"P": 1}', 'GOOD', 'NORMAL');
INSERT INTO telemetry (record_id, asset_id, occurred_at, values)
    VALUES ('r', 'A', '2026-06-14 01:00Z', '{"P": 1}');
INSERT INTO ic3_asset_master (asset_id, serialnumber, barcode, ticketcount)
    VALUES (12, 'A', 'b-12', 3), (40, 'B', NULL, NULL);
INSERT INTO ic3_dma VALUES ('DMA-1', 'One', 'DEL-D08', NULL);
INSERT INTO ic3_parameter_master VALUES (7, 'Pressure', 'P', 'm');
INSERT INTO ic3_asset_tag_map VALUES (12, 'P', 7);
INSERT INTO ic3_asset_monitoring_data VALUES (12, 'P', 7, 1, NULL, '2026-06-14 06:30');
INSERT INTO ic3_ingest_run_log (run_at, keys_scanned, matched, unmatched)
    VALUES ('2026-06-15 07:11:30', 2, 1, 1), ('2026-06-15 07:11:45', 2, 2, 0);
"""

# Other types, names of constraints and columns than ours; another tool's migration table.
VARIED: Final = """
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
CREATE TABLE assets (id serial PRIMARY KEY, asset_id varchar(255) UNIQUE);
CREATE TABLE asset_latest (asset_id varchar(255) PRIMARY KEY);
CREATE TABLE ic3_asset_master (asset_id serial, serialnumber varchar(255) NOT NULL,
    cmms_asset_id varchar(64), traceability_id bigint, barcode varchar(64),
    criticality varchar(32), capacity_rating varchar(64), in_charge_person varchar(128),
    status varchar(32), asset_live_status varchar(32), ticketcount numeric, schedulecount text,
    category varchar(64), dma_id int, name varchar(255), longitude numeric(10, 7),
    latitude numeric(10, 7), installed_on date, notes text NOT NULL DEFAULT '',
    CONSTRAINT pk_asset PRIMARY KEY (asset_id), CONSTRAINT uq_serial UNIQUE (serialnumber));
CREATE TABLE ic3_dma (dma_id text PRIMARY KEY, name varchar(255), area_km2 numeric);
CREATE TABLE ic3_parameter_master (param_id serial PRIMARY KEY, parameter_name varchar(255),
    param_tag_code varchar(64), unit varchar(16), created_at timestamp DEFAULT now(),
    CONSTRAINT uq_code UNIQUE (param_tag_code));
CREATE TABLE ic3_asset_tag_map (id serial PRIMARY KEY,
    asset_id int NOT NULL REFERENCES ic3_asset_master, tag_code varchar(255) NOT NULL,
    param_id int REFERENCES ic3_parameter_master, created_at timestamp DEFAULT now());
CREATE TABLE telemetry (id bigserial PRIMARY KEY, asset_id varchar(255) REFERENCES
    assets (asset_id), occurred_at timestamp);
CREATE TABLE ic3_asset_monitoring_data (id bigserial PRIMARY KEY,
    asset_id int REFERENCES ic3_asset_master, tag_code varchar(255), param_id int,
    value_num numeric, value_text text, recorded_at timestamp,
    CONSTRAINT uq_reading UNIQUE (asset_id, tag_code, recorded_at));
CREATE INDEX ic3_asset_monitoring_data_asset_id_recorded_at_idx
    ON ic3_asset_monitoring_data (asset_id, recorded_at);
CREATE VIEW v_recent AS SELECT asset_id, tag_code, value_num FROM ic3_asset_monitoring_data;
CREATE TABLE ic3_ingest_run_log (id bigserial PRIMARY KEY, run_at timestamptz DEFAULT now(),
    keys_scanned bigint, matched bigint, unmatched bigint, rows_inserted bigint,
    tags_skipped bigint, duration_ms bigint, error_msg varchar(1000) DEFAULT '', host text);
INSERT INTO schema_migrations VALUES (14, false);
INSERT INTO assets (asset_id) VALUES ('A');
INSERT INTO ic3_asset_master (asset_id, serialnumber, traceability_id, ticketcount, schedulecount,
    dma_id, longitude) VALUES (12, 'A', 73841, 3, '2', 4, 77.2);
SELECT setval('ic3_asset_master_asset_id_seq', 90);
INSERT INTO ic3_parameter_master (parameter_name, param_tag_code, unit)
    VALUES ('Pressure', 'P', 'm');
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id) VALUES (12, 'P', 1), (12, 'Q', NULL);
INSERT INTO telemetry (asset_id) VALUES ('A');
INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code) VALUES (12, 'P');
INSERT INTO ic3_ingest_run_log (id, run_at, keys_scanned) VALUES (500, '2026-06-15 01:41:30Z', 2);
"""
