-- What the analytics found: one open row per asset or district and cause.

CREATE TABLE ic3_finding (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version int NOT NULL DEFAULT 1,
    kind text NOT NULL CHECK (kind IN ('process', 'sensor', 'pump', 'leak', 'burst')),
    cause text NOT NULL,
    asset_id int,
    serial text,
    category text,
    tag text,
    dma_id text,
    domain text,
    opened_at timestamptz NOT NULL,
    since timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    closed_at timestamptz,
    state text NOT NULL CHECK (state IN ('open', 'acknowledged', 'in_work', 'closed', 'dismissed')),
    severity double precision NOT NULL CHECK (severity BETWEEN 0 AND 10),
    peak_severity double precision NOT NULL CHECK (peak_severity BETWEEN 0 AND 10),
    confidence double precision NOT NULL CHECK (confidence BETWEEN 0 AND 100),
    peak_confidence double precision NOT NULL CHECK (peak_confidence BETWEEN 0 AND 100),
    sentence text NOT NULL,
    evidence jsonb NOT NULL DEFAULT '{}',
    flaps int NOT NULL DEFAULT 0,
    acknowledged_at timestamptz,
    acknowledged_by text,
    verdict text CHECK (verdict IN ('true_alarm', 'false_alarm', 'unsure')),
    verdict_by text,
    verdict_at timestamptz,
    verdict_note text,
    work_order_id bigint REFERENCES ic3_work_order,
    CHECK ((asset_id IS NULL) <> (dma_id IS NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ic3_finding_one_open_of_asset ON ic3_finding (asset_id, cause)
    WHERE asset_id IS NOT NULL AND state IN ('open', 'acknowledged', 'in_work');
CREATE UNIQUE INDEX ic3_finding_one_open_of_dma ON ic3_finding (dma_id, cause)
    WHERE dma_id IS NOT NULL AND state IN ('open', 'acknowledged', 'in_work');
CREATE INDEX ON ic3_finding (asset_id, cause, last_seen_at DESC) WHERE asset_id IS NOT NULL;
CREATE INDEX ON ic3_finding (dma_id, cause, last_seen_at DESC) WHERE dma_id IS NOT NULL;
CREATE INDEX ON ic3_finding (kind) WHERE state IN ('open', 'acknowledged', 'in_work');
CREATE INDEX ON ic3_finding (kind, category) WHERE verdict IS NOT NULL;
CREATE INDEX ON ic3_finding (opened_at);
COMMENT ON TABLE ic3_finding IS 'What the analytics found; at most one open row per asset or district and cause.';
COMMENT ON COLUMN ic3_finding.id IS 'Number of the finding.';
COMMENT ON COLUMN ic3_finding.version IS 'Grows by one with each act of a person and each change of state.';
COMMENT ON COLUMN ic3_finding.kind IS 'What found it: process, sensor, pump, leak or burst.';
COMMENT ON COLUMN ic3_finding.cause IS 'Short and stable; with the asset or district it names the finding.';
COMMENT ON COLUMN ic3_finding.asset_id IS 'Asset of the register; null where it is of a district.';
COMMENT ON COLUMN ic3_finding.serial IS 'Serial number of that asset.';
COMMENT ON COLUMN ic3_finding.category IS 'Kind of that asset; dma for a district.';
COMMENT ON COLUMN ic3_finding.tag IS 'Tag that deviates most.';
COMMENT ON COLUMN ic3_finding.dma_id IS 'District metered area; null where it is of an asset.';
COMMENT ON COLUMN ic3_finding.domain IS 'Domain whose users see it.';
COMMENT ON COLUMN ic3_finding.opened_at IS 'When it was first told.';
COMMENT ON COLUMN ic3_finding.since IS 'Since when it holds, as estimated.';
COMMENT ON COLUMN ic3_finding.last_seen_at IS 'When it last held.';
COMMENT ON COLUMN ic3_finding.closed_at IS 'When the values had been back for the off-delay; null while they have not.';
COMMENT ON COLUMN ic3_finding.state IS 'open, acknowledged, in_work, closed or dismissed.';
COMMENT ON COLUMN ic3_finding.severity IS 'From 0 to 10, as last seen.';
COMMENT ON COLUMN ic3_finding.peak_severity IS 'The greatest so far.';
COMMENT ON COLUMN ic3_finding.confidence IS 'In percent: how many like it were true, by the verdicts, times trust and coverage.';
COMMENT ON COLUMN ic3_finding.peak_confidence IS 'The greatest so far.';
COMMENT ON COLUMN ic3_finding.sentence IS 'What it says, for people.';
COMMENT ON COLUMN ic3_finding.evidence IS 'Expected, band, observed, residuals, inputs and model, of its worst moment.';
COMMENT ON COLUMN ic3_finding.flaps IS 'How often it was reopened.';
COMMENT ON COLUMN ic3_finding.acknowledged_at IS 'When somebody said that they know.';
COMMENT ON COLUMN ic3_finding.acknowledged_by IS 'Who did.';
COMMENT ON COLUMN ic3_finding.verdict IS 'true_alarm, false_alarm or unsure; null where nobody judged it.';
COMMENT ON COLUMN ic3_finding.verdict_by IS 'Who judged it.';
COMMENT ON COLUMN ic3_finding.verdict_at IS 'When.';
COMMENT ON COLUMN ic3_finding.verdict_note IS 'What they said.';
COMMENT ON COLUMN ic3_finding.work_order_id IS 'Work order that was made from it.';

ALTER TABLE ic3_finding ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON ic3_finding USING (
    (SELECT current_setting('ic3.domains', true)) = '*' OR ic3_sees(domain));
