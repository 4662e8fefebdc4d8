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
-- API keys of a workspace or one of its users, newest first, with optional filters.
SELECT {ApiKey}
FROM api_keys
WHERE workspace_id = :workspace_id AND id < :before
    {if user_id: AND user_id = :user_id}
    {if status = active: AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)}
    {if status = expired: AND revoked_at IS NULL AND expires_at <= :now}
    {if status = revoked: AND revoked_at IS NOT NULL}
    {if q: AND (lower(name) LIKE :q ESCAPE '\' OR lower(hint) LIKE :q ESCAPE '\')}
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
