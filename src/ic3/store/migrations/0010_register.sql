-- The register as people keep it: what they entered is known by field, so that neither a file nor
-- the CMMS overwrites it. An adopted table may have some of these columns already.
ALTER TABLE ic3_asset_master
    ADD COLUMN IF NOT EXISTS site text,
    ADD COLUMN external_ids jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN documents jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN IF NOT EXISTS updated_at timestamptz,
    ADD COLUMN IF NOT EXISTS updated_by text,
    ADD COLUMN entered jsonb NOT NULL DEFAULT '{}';
-- One an order of the list: its pages are read by key, never by counting rows.
CREATE INDEX ic3_asset_master_by_name ON ic3_asset_master (coalesce(name::text, ''), asset_id);
CREATE INDEX ic3_asset_master_by_domain ON ic3_asset_master (coalesce(domain::text, ''), asset_id);
CREATE INDEX ic3_asset_master_by_dma ON ic3_asset_master (coalesce(dma_id::text, ''), asset_id);
CREATE INDEX ic3_asset_master_by_category ON ic3_asset_master (coalesce(category::text, ''), asset_id);
CREATE INDEX ic3_asset_master_by_criticality ON ic3_asset_master (coalesce(criticality::text, ''), asset_id);
CREATE INDEX ic3_asset_master_by_status ON ic3_asset_master (coalesce(status::text, ''), asset_id);
COMMENT ON COLUMN ic3_asset_master.site IS 'Place the asset belongs to, such as a pumping station; null where unknown.';
COMMENT ON COLUMN ic3_asset_master.external_ids IS 'Its numbers in other systems: a list of objects with system and id.';
COMMENT ON COLUMN ic3_asset_master.documents IS 'Links to papers about it: a list of objects with title and url.';
COMMENT ON COLUMN ic3_asset_master.updated_at IS 'When the program last wrote the row.';
COMMENT ON COLUMN ic3_asset_master.updated_by IS 'Who wrote it: a user, an account, or cmms.';
COMMENT ON COLUMN ic3_asset_master.entered IS 'Fields that a person entered: field to an object with by and at. No file and no synchronisation overwrites them.';

ALTER TABLE ic3_parameter_master
    ADD COLUMN IF NOT EXISTS name_hi text,
    ADD COLUMN IF NOT EXISTS ucum_code text,
    ADD COLUMN IF NOT EXISTS updated_at timestamptz,
    ADD COLUMN IF NOT EXISTS updated_by text,
    ADD COLUMN entered jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN ic3_parameter_master.name_hi IS 'Name in Hindi; null where there is none.';
COMMENT ON COLUMN ic3_parameter_master.ucum_code IS 'Unit as a code of UCUM, such as m3/h; null where it has none.';
COMMENT ON COLUMN ic3_parameter_master.updated_at IS 'When the program last wrote the row.';
COMMENT ON COLUMN ic3_parameter_master.updated_by IS 'Who wrote it.';
COMMENT ON COLUMN ic3_parameter_master.entered IS 'Fields that a person entered: field to an object with by and at.';

ALTER TABLE ic3_asset_tag_map
    ADD COLUMN set_by text;
COMMENT ON COLUMN ic3_asset_tag_map.set_by IS 'Person who mapped the tag in the inbox; null where a file did.';

CREATE TABLE ic3_register_conflict (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL CHECK (subject IN ('register', 'parameters', 'tagmap')),
    key text NOT NULL,
    tag_code text NOT NULL DEFAULT '',
    field text NOT NULL,
    kept jsonb,
    offered jsonb NOT NULL,
    source text NOT NULL CHECK (source IN ('cmms', 'import')),
    offered_by text NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    times int NOT NULL DEFAULT 1,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'kept', 'taken')),
    decided_at timestamptz,
    decided_by text,
    UNIQUE (subject, key, tag_code, field)
);
CREATE INDEX ic3_register_conflict_open ON ic3_register_conflict (id) WHERE state = 'open';
COMMENT ON TABLE ic3_register_conflict IS 'What a file or the CMMS says otherwise than a person entered; what was entered stays until somebody decides.';
COMMENT ON COLUMN ic3_register_conflict.id IS 'Number of the conflict.';
COMMENT ON COLUMN ic3_register_conflict.subject IS 'register, parameters or tagmap.';
COMMENT ON COLUMN ic3_register_conflict.key IS 'Serial number, or code of the parameter.';
COMMENT ON COLUMN ic3_register_conflict.tag_code IS 'Tag, where it is about the tag map; otherwise empty.';
COMMENT ON COLUMN ic3_register_conflict.field IS 'Field they differ in.';
COMMENT ON COLUMN ic3_register_conflict.kept IS 'What a person entered; null where a person left it empty.';
COMMENT ON COLUMN ic3_register_conflict.offered IS 'What the file or the CMMS says.';
COMMENT ON COLUMN ic3_register_conflict.source IS 'cmms or import.';
COMMENT ON COLUMN ic3_register_conflict.offered_by IS 'Who imported or synchronised.';
COMMENT ON COLUMN ic3_register_conflict.first_at IS 'When it was first met.';
COMMENT ON COLUMN ic3_register_conflict.last_at IS 'When it was last met.';
COMMENT ON COLUMN ic3_register_conflict.times IS 'How often it was met.';
COMMENT ON COLUMN ic3_register_conflict.state IS 'open; kept or taken once somebody decided. Another offer opens it again.';
COMMENT ON COLUMN ic3_register_conflict.decided_at IS 'When it was decided.';
COMMENT ON COLUMN ic3_register_conflict.decided_by IS 'Who decided.';

CREATE TABLE ic3_cmms_sync (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    after_asset_id int,
    begun_at timestamptz NOT NULL,
    moved_at timestamptz NOT NULL,
    ended_at timestamptz,
    total int NOT NULL,
    success int NOT NULL,
    failed int NOT NULL,
    skipped int NOT NULL,
    begun_by text NOT NULL
);
COMMENT ON TABLE ic3_cmms_sync IS 'How far the synchronisation with the CMMS has come: one row, moved with each asset.';
COMMENT ON COLUMN ic3_cmms_sync.one IS 'Always true.';
COMMENT ON COLUMN ic3_cmms_sync.after_asset_id IS 'Number of the last asset done; the next call without an offset goes on behind it. Null: from the first.';
COMMENT ON COLUMN ic3_cmms_sync.begun_at IS 'When the newest batch began.';
COMMENT ON COLUMN ic3_cmms_sync.moved_at IS 'When it last moved.';
COMMENT ON COLUMN ic3_cmms_sync.ended_at IS 'When it ended; null where it runs or was cut off.';
COMMENT ON COLUMN ic3_cmms_sync.total IS 'Assets of the batch.';
COMMENT ON COLUMN ic3_cmms_sync.success IS 'Assets the CMMS answered for.';
COMMENT ON COLUMN ic3_cmms_sync.failed IS 'Assets it did not answer rightly for.';
COMMENT ON COLUMN ic3_cmms_sync.skipped IS 'Assets it was not asked for.';
COMMENT ON COLUMN ic3_cmms_sync.begun_by IS 'Who began the batch.';
