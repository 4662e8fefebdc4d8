-- name: reply_bounces_of_address
-- The number of recent permanent bounces of an address, up to `limit`. A bounce without any code is permanent; one with a
-- temporary status gave up after some time.
SELECT count(*) AS bounces FROM (
    SELECT 1 FROM reply_recipients
    WHERE workspace_id = :workspace_id AND address_key = :address_key AND state = 'bounced' AND at >= :since
      AND (code >= 500 OR (code IS NULL AND text NOT LIKE '4.%'))
    LIMIT :limit
) AS newest;
