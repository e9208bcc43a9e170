-- Who is told of alarms, by which way, and what became of each telling.

CREATE TABLE ic3_route (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('webhook', 'email')),
    address text NOT NULL,
    recipients jsonb NOT NULL DEFAULT '[]',
    enabled boolean NOT NULL DEFAULT true,
    least_priority smallint NOT NULL DEFAULT 4 CHECK (least_priority BETWEEN 1 AND 4),
    domains jsonb NOT NULL DEFAULT '[]',
    sources jsonb NOT NULL DEFAULT '[]',
    conditions jsonb NOT NULL DEFAULT '[]',
    changes jsonb NOT NULL DEFAULT '["new", "return", "clear"]',
    quiet_from smallint CHECK (quiet_from BETWEEN 0 AND 1439),
    quiet_until smallint CHECK (quiet_until BETWEEN 0 AND 1439),
    quiet_priority smallint CHECK (quiet_priority BETWEEN 1 AND 4),
    version int NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL,
    CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);
COMMENT ON TABLE ic3_route IS 'Ways by which people and programs are told of alarms; at most 200.';
COMMENT ON COLUMN ic3_route.id IS 'Number of the route.';
COMMENT ON COLUMN ic3_route.name IS 'What rules call it.';
COMMENT ON COLUMN ic3_route.kind IS 'webhook or email.';
COMMENT ON COLUMN ic3_route.address IS 'Webhook: scheme, host and port of its URL, which is kept apart; email: empty.';
COMMENT ON COLUMN ic3_route.recipients IS 'Addresses of an email route.';
COMMENT ON COLUMN ic3_route.enabled IS 'Whether it is used.';
COMMENT ON COLUMN ic3_route.least_priority IS 'Alarms of this priority and more urgent ones; 1 critical to 4 low.';
COMMENT ON COLUMN ic3_route.domains IS 'Only alarms of these domains; empty is all.';
COMMENT ON COLUMN ic3_route.sources IS 'Only alarms of these sources; empty is all.';
COMMENT ON COLUMN ic3_route.conditions IS 'Only alarms of these conditions; empty is all.';
COMMENT ON COLUMN ic3_route.changes IS 'Which changes of an alarm are told.';
COMMENT ON COLUMN ic3_route.quiet_from IS 'First minute of the quiet hours, of the day in the plant''s zone; null where there are none.';
COMMENT ON COLUMN ic3_route.quiet_until IS 'First minute after the quiet hours; before quiet_from it is of the next day.';
COMMENT ON COLUMN ic3_route.quiet_priority IS 'Alarms of this priority and more urgent ones are told also in quiet hours; null is none.';
COMMENT ON COLUMN ic3_route.version IS 'Grows by one with each change.';
COMMENT ON COLUMN ic3_route.changed_at IS 'When it was made or changed.';
COMMENT ON COLUMN ic3_route.changed_by IS 'By whom.';

CREATE TABLE ic3_route_secret (
    route_id bigint PRIMARY KEY,
    url text NOT NULL,
    secret text NOT NULL
);
COMMENT ON TABLE ic3_route_secret IS 'What of a webhook is never answered; read by the sender alone.';
COMMENT ON COLUMN ic3_route_secret.route_id IS 'Its route.';
COMMENT ON COLUMN ic3_route_secret.url IS 'Where events are sent; its path may be a password.';
COMMENT ON COLUMN ic3_route_secret.secret IS 'Signs the events, as it was given.';

CREATE TABLE ic3_delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    route_id bigint NOT NULL,
    route text NOT NULL,
    alarm_id bigint NOT NULL,
    alarm_version int NOT NULL,
    what text NOT NULL,
    priority smallint NOT NULL,
    event text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts int NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    status int,
    error text,
    created_at timestamptz NOT NULL,
    queued_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (route_id, alarm_id, alarm_version)
) WITH (fillfactor = 80);
CREATE INDEX ON ic3_delivery (route_id, id) WHERE state = 'waiting';
CREATE INDEX ON ic3_delivery (state, id);
CREATE INDEX ON ic3_delivery (created_at);
COMMENT ON TABLE ic3_delivery IS 'Each change of an alarm to each route it goes to: waiting, sent or given up; kept 30 days, at most 100,000 ended ones.';
COMMENT ON COLUMN ic3_delivery.id IS 'Number of the delivery; a route is told in this order.';
COMMENT ON COLUMN ic3_delivery.route_id IS 'Its route.';
COMMENT ON COLUMN ic3_delivery.route IS 'The route''s name then.';
COMMENT ON COLUMN ic3_delivery.alarm_id IS 'Number of the alarm.';
COMMENT ON COLUMN ic3_delivery.alarm_version IS 'The alarm''s version that is told.';
COMMENT ON COLUMN ic3_delivery.what IS 'What happened to the alarm.';
COMMENT ON COLUMN ic3_delivery.priority IS 'The alarm''s priority then.';
COMMENT ON COLUMN ic3_delivery.event IS 'The event as it is sent, JSON.';
COMMENT ON COLUMN ic3_delivery.state IS 'waiting, sent or dead.';
COMMENT ON COLUMN ic3_delivery.attempts IS 'How often it was tried since it was queued.';
COMMENT ON COLUMN ic3_delivery.next_at IS 'When it is tried next.';
COMMENT ON COLUMN ic3_delivery.status IS 'Status of the last answer; null where there was none.';
COMMENT ON COLUMN ic3_delivery.error IS 'Why the last try failed, in our words.';
COMMENT ON COLUMN ic3_delivery.created_at IS 'When it was made.';
COMMENT ON COLUMN ic3_delivery.queued_at IS 'When it was made, or asked for again; it is given up a day later.';
COMMENT ON COLUMN ic3_delivery.ended_at IS 'When it was sent or given up.';
