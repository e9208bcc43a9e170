-- How a reading came here, and what a district metered area is made of.

ALTER TABLE telemetry ADD COLUMN origin text NOT NULL DEFAULT 'live'
    CHECK (origin IN ('live', 'backfill', 'replay'));
COMMENT ON COLUMN telemetry.origin IS 'live, backfill (history sent afterwards) or replay (from quarantine).';

ALTER TABLE ic3_sweep ADD COLUMN origin text NOT NULL DEFAULT 'live'
    CHECK (origin IN ('live', 'backfill', 'replay'));
COMMENT ON COLUMN ic3_sweep.origin IS 'live: a pass over the gateway; backfill or replay: a batch of history, without a run.';

ALTER TABLE ic3_dma
    ADD COLUMN IF NOT EXISTS connections int,
    ADD COLUMN IF NOT EXISTS population int,
    ADD COLUMN IF NOT EXISTS mains_km double precision,
    ADD COLUMN IF NOT EXISTS supply_hours double precision,
    ADD COLUMN IF NOT EXISTS billed_m3_d double precision;
COMMENT ON COLUMN ic3_dma.connections IS 'Service connections.';
COMMENT ON COLUMN ic3_dma.population IS 'People supplied.';
COMMENT ON COLUMN ic3_dma.mains_km IS 'Length of its mains.';
COMMENT ON COLUMN ic3_dma.supply_hours IS 'Hours of supply a day; 24 where it is continuous.';
COMMENT ON COLUMN ic3_dma.billed_m3_d IS 'Billed authorised consumption, m3 a day.';
