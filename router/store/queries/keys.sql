-- name: key_by_hash
-- A key that is presented, with what its user may do.
SELECT k.id, k.workspace_id, k.user_id, k.role, k.hash, k.expires_at, k.last_used_at, k.revoked_at,
       u.role AS user_role, u.disabled_at
FROM api_keys k JOIN users u ON u.id = k.user_id
WHERE k.hash = :hash;

-- name: key_by_id
-- One key of a workspace.
SELECT id, workspace_id, user_id, name, role, hash, hint, created_at, expires_at, last_used_at, revoked_at
FROM api_keys WHERE id = :id AND workspace_id = :workspace_id;

-- name: key_page
-- Keys of a workspace, newest first; of one user where one is given.
SELECT id, workspace_id, user_id, name, role, hash, hint, created_at, expires_at, last_used_at, revoked_at
FROM api_keys
WHERE workspace_id = :workspace_id AND id < :before
  AND (CAST(:user_id AS TEXT) IS NULL OR user_id = CAST(:user_id AS TEXT))
ORDER BY id DESC LIMIT :limit;

-- name: key_insert
-- A new key, as its hash.
INSERT INTO api_keys (id, workspace_id, user_id, name, role, hash, hint, created_at, expires_at)
VALUES (:id, :workspace_id, :user_id, :name, :role, :hash, :hint, :created_at, :expires_at);

-- name: key_revoke
-- From now on the key opens nothing.
UPDATE api_keys SET revoked_at = :now WHERE id = :id AND workspace_id = :workspace_id AND revoked_at IS NULL;

-- name: key_revoke_by_user
-- The same for every key of a user.
UPDATE api_keys SET revoked_at = :now
WHERE user_id = :user_id AND workspace_id = :workspace_id AND revoked_at IS NULL;

-- name: key_mark_used
-- Remembers that a key was used, at most once in a while.
UPDATE api_keys SET last_used_at = :now
WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :horizon);
