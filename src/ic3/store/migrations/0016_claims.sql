-- Who registers an asset says its domain, and thereby who sees it: of what the feed knows under another
-- domain, or under none, only somebody who sees all may say that it is theirs.

CREATE FUNCTION ic3_may_claim(serial text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public
RETURN EXISTS (SELECT FROM ic3_asset_master m WHERE m.serialnumber = serial AND ic3_sees(m.domain))
    OR NOT EXISTS (SELECT FROM assets a WHERE a.asset_id = serial AND NOT ic3_sees(a.domain));

CREATE POLICY claim ON ic3_asset_master AS RESTRICTIVE FOR INSERT
WITH CHECK ((SELECT current_setting('ic3.domains', true)) = '*' OR ic3_may_claim(serialnumber));
