-- name: domain_by_id
-- One domain of a workspace.
SELECT id, workspace_id, name, status, token, records, created_at, verified_at, checked_at
FROM domains WHERE id = :id AND workspace_id = :workspace_id;

-- name: domain_lock
-- One domain of a workspace that must not vanish before the transaction ends.
SELECT id, workspace_id, name, status, token, records, created_at, verified_at, checked_at
FROM domains WHERE id = :id AND workspace_id = :workspace_id;

-- name: domain_lock_name
-- Every workspace's row of a name, held until the transaction ends: of two that prove it at once one gets the mail.
SELECT id, workspace_id, name, status, token, records, created_at, verified_at, checked_at
FROM domains WHERE name = :name ORDER BY id;

-- name: domain_page
-- Domains of a workspace, newest first.
SELECT id, workspace_id, name, status, token, records, created_at, verified_at, checked_at
FROM domains WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :most;

-- name: domain_insert
-- A new domain, unless the workspace has it already.
INSERT INTO domains (id, workspace_id, name, status, token, created_at)
VALUES (:id, :workspace_id, :name, 'pending_verification', :token, :created_at)
ON CONFLICT (workspace_id, name) DO NOTHING;

-- name: domain_checked
-- What the DNS said, and whether that proves the domain; a proof is never taken back.
UPDATE domains SET records = :records, checked_at = :checked_at, status = :status, verified_at = :verified_at
WHERE id = :id;

-- name: domain_delete
-- Removes a domain with its aliases.
DELETE FROM domains WHERE id = :id AND workspace_id = :workspace_id;

-- name: domain_aliases
-- How many aliases a domain has.
SELECT count(*) AS aliases FROM aliases WHERE domain_id = :id;

-- name: domain_active_elsewhere
-- Whether another workspace gets the mail of a name.
SELECT id FROM domains WHERE name = :name AND status = 'active' AND workspace_id <> :workspace_id;

-- name: domain_to_check
-- Domains of all workspaces whose records were not looked at since then, the longest first.
SELECT id, workspace_id, name, status, token, records, created_at, verified_at, checked_at
FROM domains WHERE checked_at IS NULL OR checked_at < :horizon
ORDER BY checked_at IS NOT NULL, checked_at, id LIMIT :most;
