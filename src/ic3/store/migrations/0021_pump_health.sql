-- Health of pumps: what their plates say, as they are now, and day by day.

CREATE TABLE ic3_pump_plate (
    asset_id int PRIMARY KEY,
    version int NOT NULL,
    plate jsonb NOT NULL,
    vibration_class text NOT NULL,
    overhauled_at timestamptz,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);
COMMENT ON TABLE ic3_pump_plate IS 'What the maker says of pumps and motors, as engineers entered it.';
COMMENT ON COLUMN ic3_pump_plate.asset_id IS 'Asset of the register.';
COMMENT ON COLUMN ic3_pump_plate.version IS 'Grows by one with each change.';
COMMENT ON COLUMN ic3_pump_plate.plate IS 'Speed, power, best flow, NPSH and the like, by name and unit.';
COMMENT ON COLUMN ic3_pump_plate.vibration_class IS 'Whose zones its vibration is judged by.';
COMMENT ON COLUMN ic3_pump_plate.overhauled_at IS 'Last recorded overhaul; its reference is learned anew from then.';
COMMENT ON COLUMN ic3_pump_plate.changed_at IS 'When it was last changed.';
COMMENT ON COLUMN ic3_pump_plate.changed_by IS 'By whom.';

CREATE TABLE ic3_pump_health (
    asset_id int PRIMARY KEY,
    assessed_at timestamptz NOT NULL,
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    health double precision,
    coverage double precision NOT NULL,
    worst text NOT NULL,
    assessment jsonb NOT NULL,
    trend jsonb NOT NULL
);
COMMENT ON TABLE ic3_pump_health IS 'The health of each pump as it is now.';
COMMENT ON COLUMN ic3_pump_health.asset_id IS 'Asset of the register.';
COMMENT ON COLUMN ic3_pump_health.assessed_at IS 'When it was computed.';
COMMENT ON COLUMN ic3_pump_health.from_at IS 'Begin of the readings it is made of, inside.';
COMMENT ON COLUMN ic3_pump_health.until_at IS 'Their end, outside.';
COMMENT ON COLUMN ic3_pump_health.health IS 'From 0 to 100; null where too little is known.';
COMMENT ON COLUMN ic3_pump_health.coverage IS 'Share of the weights that were computed, 0 to 1.';
COMMENT ON COLUMN ic3_pump_health.worst IS 'The worst cause, one sentence.';
COMMENT ON COLUMN ic3_pump_health.assessment IS 'All sub-scores with inputs, limits and reasons, operating point, duty, recommendations.';
COMMENT ON COLUMN ic3_pump_health.trend IS 'Change detection and remaining life, as of the last whole day.';

CREATE TABLE ic3_pump_day (
    asset_id int NOT NULL,
    day date NOT NULL,
    health double precision,
    coverage double precision NOT NULL,
    head_percent double precision,
    efficiency_percent double precision,
    vibration_mm_s double precision,
    sec_kwh_m3 double precision,
    run_h double precision NOT NULL,
    known_h double precision NOT NULL,
    starts int NOT NULL,
    worst text NOT NULL,
    provisional boolean NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (asset_id, day)
);
COMMENT ON TABLE ic3_pump_day IS 'The health of each pump day by day.';
COMMENT ON COLUMN ic3_pump_day.asset_id IS 'Asset of the register.';
COMMENT ON COLUMN ic3_pump_day.day IS 'Day in the plant''s zone.';
COMMENT ON COLUMN ic3_pump_day.health IS 'From 0 to 100; null where too little is known.';
COMMENT ON COLUMN ic3_pump_day.coverage IS 'Share of the weights that were computed, 0 to 1.';
COMMENT ON COLUMN ic3_pump_day.head_percent IS 'Head above or below its reference, in percent.';
COMMENT ON COLUMN ic3_pump_day.efficiency_percent IS 'Efficiency above or below its reference, in percent.';
COMMENT ON COLUMN ic3_pump_day.vibration_mm_s IS 'Vibration of the worse end, mm/s.';
COMMENT ON COLUMN ic3_pump_day.sec_kwh_m3 IS 'Specific energy, kWh a m3.';
COMMENT ON COLUMN ic3_pump_day.run_h IS 'Hours it ran.';
COMMENT ON COLUMN ic3_pump_day.known_h IS 'Hours of which its status is known.';
COMMENT ON COLUMN ic3_pump_day.starts IS 'How often it was started.';
COMMENT ON COLUMN ic3_pump_day.worst IS 'The worst cause, one sentence.';
COMMENT ON COLUMN ic3_pump_day.provisional IS 'Whether the reference still has too few healthy days.';
COMMENT ON COLUMN ic3_pump_day.computed_at IS 'When it was computed.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ic3_pump_plate', 'ic3_pump_health', 'ic3_pump_day'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY scope ON %I USING ((SELECT current_setting(''ic3.domains'', true)) = ''*'' '
            'OR asset_id IN (SELECT m.asset_id FROM ic3_asset_master m))', name);
    END LOOP;
END $$;
