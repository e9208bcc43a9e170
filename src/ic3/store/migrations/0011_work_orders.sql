-- Work orders with all that belongs to them, plans that make them, and answers kept for repeated requests.

CREATE TABLE ic3_work_order_sla (
    priority smallint PRIMARY KEY CHECK (priority BETWEEN 1 AND 4),
    start_minutes int NOT NULL CHECK (start_minutes BETWEEN 1 AND 525600),
    done_minutes int NOT NULL CHECK (done_minutes BETWEEN 1 AND 525600)
);
INSERT INTO ic3_work_order_sla (priority, start_minutes, done_minutes)
VALUES (1, 60, 240), (2, 480, 1440), (3, 1440, 4320), (4, 4320, 20160);
COMMENT ON TABLE ic3_work_order_sla IS 'Within what time a work order is to be begun and done.';
COMMENT ON COLUMN ic3_work_order_sla.priority IS '1 critical, 2 high, 3 medium, 4 low.';
COMMENT ON COLUMN ic3_work_order_sla.start_minutes IS 'Minutes from its making until work begins.';
COMMENT ON COLUMN ic3_work_order_sla.done_minutes IS 'Minutes from its making until it is done.';

CREATE TABLE ic3_work_order (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version int NOT NULL DEFAULT 1,
    kind text NOT NULL CHECK (kind IN ('corrective', 'preventive')),
    state text NOT NULL CHECK (state IN ('draft', 'open', 'assigned', 'in_progress', 'on_hold', 'done', 'verified', 'closed', 'cancelled', 'reopened')),
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 4),
    title text NOT NULL,
    description text NOT NULL DEFAULT '',
    serial text,
    category text,
    domain text,
    assignee text,
    team text,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    start_due_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    due_given boolean NOT NULL DEFAULT false,
    started_at timestamptz,
    done_at timestamptz,
    ended_at timestamptz,
    failed_at timestamptz NOT NULL,
    returned_at timestamptz,
    alarm_id bigint,
    source_kind text,
    source text,
    condition text,
    evidence jsonb,
    plan_id bigint,
    plan_due text,
    labour_minutes int NOT NULL DEFAULT 0,
    parts_cost_minor bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ic3_work_order_one_open_per_alarm ON ic3_work_order (alarm_id)
    WHERE alarm_id IS NOT NULL AND state NOT IN ('verified', 'closed', 'cancelled');
CREATE UNIQUE INDEX ic3_work_order_once_per_due ON ic3_work_order (plan_id, plan_due) WHERE plan_id IS NOT NULL;
CREATE INDEX ON ic3_work_order (due_at, id);
CREATE INDEX ON ic3_work_order (priority, id);
CREATE INDEX ON ic3_work_order (updated_at, id);
CREATE INDEX ON ic3_work_order (serial, id);
CREATE INDEX ON ic3_work_order (failed_at);
CREATE INDEX ON ic3_work_order (id) WHERE source IS NOT NULL AND state NOT IN ('verified', 'closed', 'cancelled');
COMMENT ON TABLE ic3_work_order IS 'Work orders as they are; how they became so is in ic3_work_order_event.';
COMMENT ON COLUMN ic3_work_order.id IS 'Number of the order.';
COMMENT ON COLUMN ic3_work_order.version IS 'Grows by one with each change; a change names the one it was made on.';
COMMENT ON COLUMN ic3_work_order.kind IS 'corrective, or preventive where a plan made it.';
COMMENT ON COLUMN ic3_work_order.state IS 'draft, open, assigned, in_progress, on_hold, done, verified, closed, cancelled or reopened.';
COMMENT ON COLUMN ic3_work_order.priority IS '1 critical, 2 high, 3 medium, 4 low.';
COMMENT ON COLUMN ic3_work_order.title IS 'What is to be done, one line.';
COMMENT ON COLUMN ic3_work_order.description IS 'What is to be done, in full.';
COMMENT ON COLUMN ic3_work_order.serial IS 'Serial number of the asset; null where it is about none.';
COMMENT ON COLUMN ic3_work_order.category IS 'Kind of the asset when the order was made.';
COMMENT ON COLUMN ic3_work_order.domain IS 'Domain whose users see it; null: only users of all domains.';
COMMENT ON COLUMN ic3_work_order.assignee IS 'User who does it; null where nobody is named.';
COMMENT ON COLUMN ic3_work_order.team IS 'Team that does it.';
COMMENT ON COLUMN ic3_work_order.created_at IS 'When it was made.';
COMMENT ON COLUMN ic3_work_order.created_by IS 'Who made it; plans where a plan did.';
COMMENT ON COLUMN ic3_work_order.updated_at IS 'When it last changed.';
COMMENT ON COLUMN ic3_work_order.start_due_at IS 'Until when work is to begin, by priority.';
COMMENT ON COLUMN ic3_work_order.due_at IS 'Until when it is to be done.';
COMMENT ON COLUMN ic3_work_order.due_given IS 'Whether a person or a plan said so; otherwise it follows from the priority.';
COMMENT ON COLUMN ic3_work_order.started_at IS 'When work first began.';
COMMENT ON COLUMN ic3_work_order.done_at IS 'When it was last said to be done; null again where it is reopened.';
COMMENT ON COLUMN ic3_work_order.ended_at IS 'When it was closed or cancelled.';
COMMENT ON COLUMN ic3_work_order.failed_at IS 'Begin of the failure: when the alarm was raised, otherwise when it was reported.';
COMMENT ON COLUMN ic3_work_order.returned_at IS 'When the measured value returned; null while it has not, or nothing is measured.';
COMMENT ON COLUMN ic3_work_order.alarm_id IS 'Alarm it was made from.';
COMMENT ON COLUMN ic3_work_order.source_kind IS 'Kind of that alarm''s source: asset, dma or system.';
COMMENT ON COLUMN ic3_work_order.source IS 'Source of that alarm.';
COMMENT ON COLUMN ic3_work_order.condition IS 'Condition of that alarm.';
COMMENT ON COLUMN ic3_work_order.evidence IS 'The alarm and the newest readings of the asset as they were when the order was made.';
COMMENT ON COLUMN ic3_work_order.plan_id IS 'Plan that made it.';
COMMENT ON COLUMN ic3_work_order.plan_due IS 'Which of the plan''s dues it is for: a date, or a number of run hours.';
COMMENT ON COLUMN ic3_work_order.labour_minutes IS 'Sum of the labour.';
COMMENT ON COLUMN ic3_work_order.parts_cost_minor IS 'Sum of the parts, in hundredths of the currency (paise).';

CREATE TABLE ic3_work_order_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES ic3_work_order,
    version int NOT NULL,
    at timestamptz NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    note text,
    before jsonb,
    after jsonb
);
CREATE INDEX ON ic3_work_order_event (order_id, id);
COMMENT ON TABLE ic3_work_order_event IS 'History of work orders; rows are only ever added.';
COMMENT ON COLUMN ic3_work_order_event.id IS 'Number of the row.';
COMMENT ON COLUMN ic3_work_order_event.order_id IS 'The order.';
COMMENT ON COLUMN ic3_work_order_event.version IS 'Version of the order that it made.';
COMMENT ON COLUMN ic3_work_order_event.at IS 'When it happened.';
COMMENT ON COLUMN ic3_work_order_event.who IS 'Who did it; plant where the measured value did.';
COMMENT ON COLUMN ic3_work_order_event.what IS 'Word for the act.';
COMMENT ON COLUMN ic3_work_order_event.from_state IS 'State before; null where it was made.';
COMMENT ON COLUMN ic3_work_order_event.to_state IS 'State afterwards.';
COMMENT ON COLUMN ic3_work_order_event.note IS 'What was said.';
COMMENT ON COLUMN ic3_work_order_event.before IS 'What was changed, as it was; null where it was not.';
COMMENT ON COLUMN ic3_work_order_event.after IS 'What was changed, as it is then.';
CREATE FUNCTION ic3_work_order_event_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ic3_work_order_event only grows: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON ic3_work_order_event
    FOR EACH STATEMENT EXECUTE FUNCTION ic3_work_order_event_only_grows();

CREATE TABLE ic3_work_order_check (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES ic3_work_order,
    text text NOT NULL,
    done boolean NOT NULL DEFAULT false,
    done_at timestamptz,
    done_by text
);
CREATE INDEX ON ic3_work_order_check (order_id, id);
COMMENT ON TABLE ic3_work_order_check IS 'Checklists of work orders.';
COMMENT ON COLUMN ic3_work_order_check.id IS 'Number of the item.';
COMMENT ON COLUMN ic3_work_order_check.order_id IS 'The order.';
COMMENT ON COLUMN ic3_work_order_check.text IS 'What is to be looked at or done.';
COMMENT ON COLUMN ic3_work_order_check.done IS 'Whether it is.';
COMMENT ON COLUMN ic3_work_order_check.done_at IS 'Since when.';
COMMENT ON COLUMN ic3_work_order_check.done_by IS 'Who did it.';

CREATE TABLE ic3_work_order_labour (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES ic3_work_order,
    person text NOT NULL,
    minutes int NOT NULL CHECK (minutes BETWEEN 1 AND 10080),
    note text,
    at timestamptz NOT NULL,
    who text NOT NULL
);
CREATE INDEX ON ic3_work_order_labour (order_id, id);
COMMENT ON TABLE ic3_work_order_labour IS 'Time that people spent on work orders.';
COMMENT ON COLUMN ic3_work_order_labour.id IS 'Number of the row.';
COMMENT ON COLUMN ic3_work_order_labour.order_id IS 'The order.';
COMMENT ON COLUMN ic3_work_order_labour.person IS 'Who worked.';
COMMENT ON COLUMN ic3_work_order_labour.minutes IS 'How long.';
COMMENT ON COLUMN ic3_work_order_labour.note IS 'What on.';
COMMENT ON COLUMN ic3_work_order_labour.at IS 'When it was entered.';
COMMENT ON COLUMN ic3_work_order_labour.who IS 'Who entered it.';

CREATE TABLE ic3_work_order_part (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES ic3_work_order,
    name text NOT NULL,
    number text,
    quantity_milli bigint NOT NULL CHECK (quantity_milli BETWEEN 1 AND 1000000000),
    unit_cost_minor bigint NOT NULL CHECK (unit_cost_minor BETWEEN 0 AND 1000000000000),
    at timestamptz NOT NULL,
    who text NOT NULL
);
CREATE INDEX ON ic3_work_order_part (order_id, id);
COMMENT ON TABLE ic3_work_order_part IS 'Parts and material used on work orders.';
COMMENT ON COLUMN ic3_work_order_part.id IS 'Number of the row.';
COMMENT ON COLUMN ic3_work_order_part.order_id IS 'The order.';
COMMENT ON COLUMN ic3_work_order_part.name IS 'What it is.';
COMMENT ON COLUMN ic3_work_order_part.number IS 'Its number in the store.';
COMMENT ON COLUMN ic3_work_order_part.quantity_milli IS 'How much, in thousandths.';
COMMENT ON COLUMN ic3_work_order_part.unit_cost_minor IS 'Cost of one, in hundredths of the currency (paise).';
COMMENT ON COLUMN ic3_work_order_part.at IS 'When it was entered.';
COMMENT ON COLUMN ic3_work_order_part.who IS 'Who entered it.';

CREATE TABLE ic3_work_order_comment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES ic3_work_order,
    text text NOT NULL,
    at timestamptz NOT NULL,
    who text NOT NULL
);
CREATE INDEX ON ic3_work_order_comment (order_id, id);
COMMENT ON TABLE ic3_work_order_comment IS 'What people say about work orders.';
COMMENT ON COLUMN ic3_work_order_comment.id IS 'Number of the row.';
COMMENT ON COLUMN ic3_work_order_comment.order_id IS 'The order.';
COMMENT ON COLUMN ic3_work_order_comment.text IS 'What was said.';
COMMENT ON COLUMN ic3_work_order_comment.at IS 'When.';
COMMENT ON COLUMN ic3_work_order_comment.who IS 'Who said it.';

CREATE TABLE ic3_work_order_attachment (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES ic3_work_order,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    place text NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    who text NOT NULL
);
CREATE INDEX ON ic3_work_order_attachment (order_id, id);
COMMENT ON TABLE ic3_work_order_attachment IS 'Files at work orders; their content is in the data directory.';
COMMENT ON COLUMN ic3_work_order_attachment.id IS 'Number of the file.';
COMMENT ON COLUMN ic3_work_order_attachment.order_id IS 'The order.';
COMMENT ON COLUMN ic3_work_order_attachment.file_name IS 'Name for people, made harmless.';
COMMENT ON COLUMN ic3_work_order_attachment.content_type IS 'One of those that are allowed; the content was checked against it.';
COMMENT ON COLUMN ic3_work_order_attachment.size_bytes IS 'Its size.';
COMMENT ON COLUMN ic3_work_order_attachment.sha256 IS 'SHA-256 of the content.';
COMMENT ON COLUMN ic3_work_order_attachment.place IS 'Where the content is, below the folder attachments.';
COMMENT ON COLUMN ic3_work_order_attachment.at IS 'When it was handed in.';
COMMENT ON COLUMN ic3_work_order_attachment.who IS 'Who handed it in.';

CREATE TABLE ic3_maintenance_plan (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version int NOT NULL DEFAULT 1,
    active boolean NOT NULL DEFAULT true,
    title text NOT NULL,
    description text NOT NULL DEFAULT '',
    serial text,
    category text,
    domain text,
    priority smallint NOT NULL CHECK (priority BETWEEN 1 AND 4),
    team text,
    assignee text,
    checklist jsonb NOT NULL DEFAULT '[]',
    basis text NOT NULL CHECK (basis IN ('calendar', 'run_hours')),
    every int NOT NULL CHECK (every BETWEEN 1 AND 100000),
    unit text CHECK (unit IN ('day', 'week', 'month')),
    tag_code text,
    starts_at timestamptz NOT NULL,
    lead_days int NOT NULL CHECK (lead_days BETWEEN 0 AND 366),
    made_number int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    CHECK ((basis = 'calendar') = (unit IS NOT NULL)),
    CHECK (basis = 'calendar' OR (tag_code IS NOT NULL AND serial IS NOT NULL))
);
COMMENT ON TABLE ic3_maintenance_plan IS 'Plans that make preventive work orders, by calendar or by run hours.';
COMMENT ON COLUMN ic3_maintenance_plan.id IS 'Number of the plan.';
COMMENT ON COLUMN ic3_maintenance_plan.version IS 'Grows by one with each change by a person.';
COMMENT ON COLUMN ic3_maintenance_plan.active IS 'Whether it makes orders.';
COMMENT ON COLUMN ic3_maintenance_plan.title IS 'Title of its orders.';
COMMENT ON COLUMN ic3_maintenance_plan.description IS 'Description of its orders.';
COMMENT ON COLUMN ic3_maintenance_plan.serial IS 'Serial number of the asset.';
COMMENT ON COLUMN ic3_maintenance_plan.category IS 'Kind of the asset when the plan was made.';
COMMENT ON COLUMN ic3_maintenance_plan.domain IS 'Domain whose users see it; null: only users of all domains.';
COMMENT ON COLUMN ic3_maintenance_plan.priority IS 'Priority of its orders.';
COMMENT ON COLUMN ic3_maintenance_plan.team IS 'Team of its orders.';
COMMENT ON COLUMN ic3_maintenance_plan.assignee IS 'User who does its orders.';
COMMENT ON COLUMN ic3_maintenance_plan.checklist IS 'Texts of their checklists.';
COMMENT ON COLUMN ic3_maintenance_plan.basis IS 'calendar or run_hours.';
COMMENT ON COLUMN ic3_maintenance_plan.every IS 'So many units, or so many run hours, from one order to the next.';
COMMENT ON COLUMN ic3_maintenance_plan.unit IS 'day, week or month; null for run hours.';
COMMENT ON COLUMN ic3_maintenance_plan.tag_code IS 'Tag that says whether the asset runs; null for the calendar.';
COMMENT ON COLUMN ic3_maintenance_plan.starts_at IS 'First due of the calendar; run hours are counted from here.';
COMMENT ON COLUMN ic3_maintenance_plan.lead_days IS 'So many days before it is due the order is made.';
COMMENT ON COLUMN ic3_maintenance_plan.made_number IS 'How many dues are dealt with: the next one is this plus one.';
COMMENT ON COLUMN ic3_maintenance_plan.created_at IS 'When it was made.';
COMMENT ON COLUMN ic3_maintenance_plan.created_by IS 'Who made it.';

CREATE TABLE ic3_plan_run_hours (
    plan_id bigint NOT NULL REFERENCES ic3_maintenance_plan,
    counted_to timestamptz NOT NULL,
    run_hours double precision NOT NULL,
    measured_hours double precision NOT NULL,
    recent_hours double precision NOT NULL,
    order_id bigint,
    PRIMARY KEY (plan_id, counted_to)
);
COMMENT ON TABLE ic3_plan_run_hours IS 'Run hours that a plan went by: one row for each order it made, and the newest count.';
COMMENT ON COLUMN ic3_plan_run_hours.plan_id IS 'The plan.';
COMMENT ON COLUMN ic3_plan_run_hours.counted_to IS 'Hours before this were counted, from the start of the plan.';
COMMENT ON COLUMN ic3_plan_run_hours.run_hours IS 'How many the asset ran: means of its running tag over each hour, added.';
COMMENT ON COLUMN ic3_plan_run_hours.measured_hours IS 'How many hours have a reading; the others count as standing.';
COMMENT ON COLUMN ic3_plan_run_hours.recent_hours IS 'How many it ran in the seven days before.';
COMMENT ON COLUMN ic3_plan_run_hours.order_id IS 'Order that was made by it; null for the newest count.';

CREATE TABLE ic3_idempotency_key (
    who text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    answer bytea,
    at timestamptz NOT NULL,
    PRIMARY KEY (who, key)
);
CREATE INDEX ON ic3_idempotency_key (at);
COMMENT ON TABLE ic3_idempotency_key IS 'Answers to requests with an Idempotency-Key, for 24 hours, at most 100,000.';
COMMENT ON COLUMN ic3_idempotency_key.who IS 'User who asked.';
COMMENT ON COLUMN ic3_idempotency_key.key IS 'The key.';
COMMENT ON COLUMN ic3_idempotency_key.request_hash IS 'Of path and body: the same key must mean the same.';
COMMENT ON COLUMN ic3_idempotency_key.answer IS 'What was answered; null only inside the transaction of the act.';
COMMENT ON COLUMN ic3_idempotency_key.at IS 'When.';
