-- name: reply_bounces_of_address
-- The number of recent permanent bounces of an address, up to `limit`. A bounce without a code is permanent.
SELECT count(*) AS bounces FROM (
    SELECT 1 FROM reply_recipients
    WHERE workspace_id = :workspace_id AND address_key = :address_key AND state = 'bounced' AND at >= :since
      AND (code IS NULL OR code >= 500)
    LIMIT :limit
) AS newest;
