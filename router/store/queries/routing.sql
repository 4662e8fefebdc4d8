-- name: routing_domain
-- The domain with this name; the active domain has precedence.
SELECT {Domain:d}, w.default_integration_id AS default_integration_id
FROM domains d JOIN workspaces w ON w.id = d.workspace_id
WHERE d.name = :name ORDER BY CASE d.status WHEN 'active' THEN 0 ELSE 1 END, d.id LIMIT 1;

-- name: routing_aliases
-- The aliases that can match a recipient: by key, by key without the tag of a ticket, by key without tag, and the
-- catch-all.
SELECT {Alias:a}, d.name AS domain
FROM aliases a JOIN domains d ON d.id = a.domain_id
WHERE a.domain_id = :domain_id AND a.local_key IN (:key, :answered, :base, :catch_all);

-- name: reply_token
-- The recipient of a reply that a token names, with its ticket and the number of the bounces of the reply.
SELECT rr.token, rr.workspace_id, r.ticket_id, rr.reply_id, rr.address_key, t.alias_id, t.address,
       (SELECT COUNT(*) FROM reply_bounces b WHERE b.reply_id = rr.reply_id) AS bounces
FROM reply_recipients rr
JOIN replies r ON r.id = rr.reply_id
JOIN tickets t ON t.id = r.ticket_id
WHERE rr.token = :token;

-- name: sender_lists
-- The allowed and the blocked senders of a workspace; the allowed ones have no action.
SELECT sender, require_auth, NULL AS action FROM allowed_senders WHERE workspace_id = :workspace_id
UNION ALL
SELECT sender, 0 AS require_auth, action FROM blocked_senders WHERE workspace_id = :workspace_id;

-- name: routing_version
-- The version of the routing data. A cache with another version is stale.
SELECT version FROM versions WHERE name = 'routes';

-- name: routing_increment_version
-- Increments the version of the routing data, in the transaction that changes the data.
UPDATE versions SET version = version + 1 WHERE name = 'routes';

-- name: routing_first_workspace
-- The workspace that receives mail for the postmaster of this host.
SELECT {Workspace} FROM workspaces ORDER BY id LIMIT 1;

-- name: routing_active_domains
-- The names of the active domains of a workspace.
SELECT name FROM domains WHERE workspace_id = :workspace_id AND status = 'active';
