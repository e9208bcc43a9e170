-- Row security of work orders and plans, as 0013 has it for assets.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ic3_work_order', 'ic3_maintenance_plan'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY scope ON %I USING '
            '((SELECT current_setting(''ic3.domains'', true)) = ''*'' OR ic3_sees(domain))', name);
    END LOOP;
    -- What belongs to an order is seen with it.
    FOREACH name IN ARRAY ARRAY['ic3_work_order_event', 'ic3_work_order_check', 'ic3_work_order_labour',
            'ic3_work_order_part', 'ic3_work_order_comment', 'ic3_work_order_attachment'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY scope ON %I USING ((SELECT current_setting(''ic3.domains'', true)) = ''*'' '
            'OR EXISTS (SELECT FROM ic3_work_order o WHERE o.id = order_id))', name);
    END LOOP;
    ALTER TABLE ic3_plan_run_hours ENABLE ROW LEVEL SECURITY;
    CREATE POLICY scope ON ic3_plan_run_hours USING ((SELECT current_setting('ic3.domains', true)) = '*'
        OR EXISTS (SELECT FROM ic3_maintenance_plan p WHERE p.id = plan_id));
END $$;

-- The cap is for the files of all domains together: a sum tells nobody what they are.
CREATE FUNCTION ic3_attachment_bytes() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public
RETURN (SELECT coalesce(sum(size_bytes), 0)::bigint FROM ic3_work_order_attachment);
