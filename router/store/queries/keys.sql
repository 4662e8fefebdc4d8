-- name: key_by_hash
-- An API key by its hash, with its user's role.
SELECT k.id, k.workspace_id, k.user_id, k.role, k.hash, k.expires_at, k.last_used_at, k.revoked_at,
       u.role AS user_role, u.disabled_at
FROM api_keys k JOIN users u ON u.id = k.user_id
WHERE k.hash = :hash;

-- name: key_by_id
-- One API key of a workspace.
SELECT {ApiKey}
FROM api_keys WHERE id = :id AND workspace_id = :workspace_id;

-- name: key_page
-- API keys of a workspace, newest first.
SELECT {ApiKey}
FROM api_keys
WHERE workspace_id = :workspace_id AND id < :before
  AND (CAST(:user_id AS TEXT) IS NULL OR user_id = CAST(:user_id AS TEXT))
ORDER BY id DESC LIMIT :limit;

-- name: key_insert
-- Inserts an API key.
INSERT INTO api_keys {values:ApiKey};

-- name: key_revoke
-- Revokes an API key.
UPDATE api_keys SET revoked_at = :now WHERE id = :id AND workspace_id = :workspace_id AND revoked_at IS NULL;

-- name: key_revoke_by_user
-- Revokes all API keys of a user.
UPDATE api_keys SET revoked_at = :now
WHERE user_id = :user_id AND workspace_id = :workspace_id AND revoked_at IS NULL;

-- name: key_mark_used
-- Stores the time of the last use, unless a recent time is stored.
UPDATE api_keys SET last_used_at = :now
WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :horizon);
