-- The pipe network: what the map draws and what a trace walks.

CREATE TABLE ic3_network (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL,
    source text NOT NULL DEFAULT '',
    form text NOT NULL DEFAULT '',
    units text NOT NULL DEFAULT 'CMH',
    sections jsonb NOT NULL DEFAULT '{}',
    imported_at timestamptz,
    imported_by text
);
COMMENT ON TABLE ic3_network IS 'Where the pipe network came from, in one row; its version grows with every change of network or areas.';
COMMENT ON COLUMN ic3_network.one IS 'Keeps the table at one row.';
COMMENT ON COLUMN ic3_network.version IS 'Readers load the network again when it differs.';
COMMENT ON COLUMN ic3_network.source IS 'Name of the file of the last import.';
COMMENT ON COLUMN ic3_network.form IS 'inp or geojson; empty before the first import.';
COMMENT ON COLUMN ic3_network.units IS 'EPANET''s word for the units of flow of its file.';
COMMENT ON COLUMN ic3_network.sections IS 'Sections of the EPANET file that no table holds, line by line; given back by an export.';
COMMENT ON COLUMN ic3_network.imported_at IS 'When the last import was.';
COMMENT ON COLUMN ic3_network.imported_by IS 'Who imported.';
INSERT INTO ic3_network (version) VALUES (1);

CREATE TABLE ic3_network_node (
    node_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('junction', 'reservoir', 'tank')),
    longitude double precision,
    latitude double precision,
    elevation_m double precision,
    demand_m3_h double precision,
    connections int,
    dma_id text,
    details jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE ic3_network_node IS 'Nodes of the pipe network.';
COMMENT ON COLUMN ic3_network_node.node_id IS 'Name in the hydraulic model.';
COMMENT ON COLUMN ic3_network_node.kind IS 'junction, reservoir or tank.';
COMMENT ON COLUMN ic3_network_node.longitude IS 'Degrees east; null where the file has no degrees.';
COMMENT ON COLUMN ic3_network_node.latitude IS 'Degrees north.';
COMMENT ON COLUMN ic3_network_node.elevation_m IS 'Ground of a junction, floor of a tank, water of a reservoir, in m.';
COMMENT ON COLUMN ic3_network_node.demand_m3_h IS 'Mean consumption, m3/h.';
COMMENT ON COLUMN ic3_network_node.connections IS 'Customers; null where they are not known.';
COMMENT ON COLUMN ic3_network_node.dma_id IS 'District metered area.';
COMMENT ON COLUMN ic3_network_node.details IS 'What only EPANET needs, by its name and in the units of its file.';

CREATE TABLE ic3_network_link (
    link_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('pipe', 'valve', 'pump')),
    from_node text NOT NULL REFERENCES ic3_network_node DEFERRABLE INITIALLY DEFERRED,
    to_node text NOT NULL REFERENCES ic3_network_node DEFERRABLE INITIALLY DEFERRED,
    length_m double precision,
    diameter_mm double precision,
    roughness double precision,
    status text NOT NULL CHECK (status IN ('open', 'closed', 'cv')),
    valve_type text,
    vertices jsonb NOT NULL DEFAULT '[]',
    dma_id text,
    asset_serial text,
    stuck boolean,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON ic3_network_link (from_node);
CREATE INDEX ON ic3_network_link (to_node);
COMMENT ON TABLE ic3_network_link IS 'Links of the pipe network: pipes, valves of the hydraulic model, pumps.';
COMMENT ON COLUMN ic3_network_link.link_id IS 'Name in the hydraulic model.';
COMMENT ON COLUMN ic3_network_link.kind IS 'pipe, valve or pump.';
COMMENT ON COLUMN ic3_network_link.from_node IS 'Node where it begins.';
COMMENT ON COLUMN ic3_network_link.to_node IS 'Node where it ends.';
COMMENT ON COLUMN ic3_network_link.length_m IS 'Length, m; null but for pipes.';
COMMENT ON COLUMN ic3_network_link.diameter_mm IS 'Inner diameter, mm.';
COMMENT ON COLUMN ic3_network_link.roughness IS 'Roughness by the head-loss formula of the file, Hazen-Williams C as a rule.';
COMMENT ON COLUMN ic3_network_link.status IS 'open, closed, or cv for a pipe with a check valve.';
COMMENT ON COLUMN ic3_network_link.valve_type IS 'PRV, PSV, PBV, FCV, TCV, GPV or PCV; null but for valves.';
COMMENT ON COLUMN ic3_network_link.vertices IS 'Bends between the ends, [longitude, latitude] each.';
COMMENT ON COLUMN ic3_network_link.dma_id IS 'District metered area.';
COMMENT ON COLUMN ic3_network_link.asset_serial IS 'Serial number of the asset of the register that stands on it.';
COMMENT ON COLUMN ic3_network_link.stuck IS 'Whether a valve is known to be stuck; null where nobody looked.';
COMMENT ON COLUMN ic3_network_link.details IS 'What only EPANET needs, by its name and in the units of its file.';

CREATE TABLE ic3_network_valve (
    valve_id text PRIMARY KEY,
    link_id text NOT NULL REFERENCES ic3_network_link DEFERRABLE INITIALLY DEFERRED,
    node_id text NOT NULL REFERENCES ic3_network_node DEFERRABLE INITIALLY DEFERRED,
    asset_serial text,
    stuck boolean
);
CREATE INDEX ON ic3_network_valve (link_id);
CREATE INDEX ON ic3_network_valve (node_id);
COMMENT ON TABLE ic3_network_valve IS 'Valves for shutting off: each stands on a link, next to one of its nodes.';
COMMENT ON COLUMN ic3_network_valve.valve_id IS 'Name of the valve.';
COMMENT ON COLUMN ic3_network_valve.link_id IS 'Link it stands on.';
COMMENT ON COLUMN ic3_network_valve.node_id IS 'Node of that link it stands next to.';
COMMENT ON COLUMN ic3_network_valve.asset_serial IS 'Serial number in the register of assets.';
COMMENT ON COLUMN ic3_network_valve.stuck IS 'Whether it is known to be stuck; null where nobody looked.';

CREATE FUNCTION ic3_network_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ic3_network SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER network_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ic3_network_node
    FOR EACH STATEMENT EXECUTE FUNCTION ic3_network_changed();
CREATE TRIGGER network_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ic3_network_link
    FOR EACH STATEMENT EXECUTE FUNCTION ic3_network_changed();
CREATE TRIGGER network_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ic3_network_valve
    FOR EACH STATEMENT EXECUTE FUNCTION ic3_network_changed();
CREATE TRIGGER network_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ic3_dma
    FOR EACH STATEMENT EXECUTE FUNCTION ic3_network_changed();
