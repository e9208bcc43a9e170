-- Non-revenue water: definitions of district metered areas, their figures now and day by day.

CREATE TABLE ic3_dma_definition (
    dma_id text NOT NULL,
    version int NOT NULL,
    valid_from timestamptz NOT NULL,
    domain text,
    definition jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (dma_id, version)
);
COMMENT ON TABLE ic3_dma_definition IS 'Definitions of district metered areas; a version is never changed, a new one follows it.';
COMMENT ON COLUMN ic3_dma_definition.dma_id IS 'District metered area.';
COMMENT ON COLUMN ic3_dma_definition.version IS 'The first is 1.';
COMMENT ON COLUMN ic3_dma_definition.valid_from IS 'It holds from then until that of the next version.';
COMMENT ON COLUMN ic3_dma_definition.domain IS 'Domain whose users see it.';
COMMENT ON COLUMN ic3_dma_definition.definition IS 'Meters, tanks, pressure points, customers, night window and the like.';
COMMENT ON COLUMN ic3_dma_definition.changed_at IS 'When this version was made.';
COMMENT ON COLUMN ic3_dma_definition.changed_by IS 'By whom; register where it was made from the register.';

CREATE TABLE ic3_nrw (
    dma_id text PRIMARY KEY,
    domain text,
    computed_at timestamptz NOT NULL,
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    definition_version int NOT NULL,
    report jsonb NOT NULL,
    leak jsonb NOT NULL
);
COMMENT ON TABLE ic3_nrw IS 'The figures of each district metered area over the last seven days.';
COMMENT ON COLUMN ic3_nrw.dma_id IS 'District metered area.';
COMMENT ON COLUMN ic3_nrw.domain IS 'Domain whose users see it.';
COMMENT ON COLUMN ic3_nrw.computed_at IS 'When it was computed.';
COMMENT ON COLUMN ic3_nrw.from_at IS 'Begin of the readings it is made of, inside.';
COMMENT ON COLUMN ic3_nrw.until_at IS 'Their end, outside.';
COMMENT ON COLUMN ic3_nrw.definition_version IS 'Version of the definition it was computed by.';
COMMENT ON COLUMN ic3_nrw.report IS 'Balance, night flow or its refusal, supply, leakage index, each with band and reason.';
COMMENT ON COLUMN ic3_nrw.leak IS 'Leak and burst probability and loss rate.';

CREATE TABLE ic3_nrw_day (
    dma_id text NOT NULL,
    day date NOT NULL,
    domain text,
    computed_at timestamptz NOT NULL,
    definition_version int NOT NULL,
    report jsonb NOT NULL,
    leak jsonb NOT NULL,
    PRIMARY KEY (dma_id, day)
);
COMMENT ON TABLE ic3_nrw_day IS 'The figures of each district metered area, day by day.';
COMMENT ON COLUMN ic3_nrw_day.dma_id IS 'District metered area.';
COMMENT ON COLUMN ic3_nrw_day.day IS 'Day in its zone.';
COMMENT ON COLUMN ic3_nrw_day.domain IS 'Domain whose users see it.';
COMMENT ON COLUMN ic3_nrw_day.computed_at IS 'When it was computed.';
COMMENT ON COLUMN ic3_nrw_day.definition_version IS 'Version of the definition it was computed by.';
COMMENT ON COLUMN ic3_nrw_day.report IS 'Balance, night flow or its refusal, supply, leakage index, each with band and reason.';
COMMENT ON COLUMN ic3_nrw_day.leak IS 'Leak and burst probability and loss rate at its end.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ic3_dma_definition', 'ic3_nrw', 'ic3_nrw_day'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY scope ON %I USING '
            '((SELECT current_setting(''ic3.domains'', true)) = ''*'' OR ic3_sees(domain))', name);
    END LOOP;
END $$;
