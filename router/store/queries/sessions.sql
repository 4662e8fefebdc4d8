-- name: session_insert
-- Somebody signed in.
INSERT INTO sessions (hash, workspace_id, user_id, address, created_at, last_used_at, expires_at)
VALUES (:hash, :workspace_id, :user_id, :address, :created_at, :created_at, :expires_at);

-- name: session_by_hash
-- The session of a cookie, with what its user may do.
SELECT s.hash, s.workspace_id, s.user_id, s.last_used_at, s.expires_at, u.role, u.disabled_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = :hash;

-- name: session_mark_used
-- Remembers that a session was used, at most once in a while.
UPDATE sessions SET last_used_at = :now WHERE hash = :hash AND last_used_at < :horizon;

-- name: session_delete
-- Somebody signed out.
DELETE FROM sessions WHERE hash = :hash;

-- name: session_delete_by_user
-- Signs a user out everywhere.
DELETE FROM sessions WHERE user_id = :user_id;

-- name: session_delete_expired
-- Sessions that are over.
DELETE FROM sessions WHERE expires_at < :now;

-- name: session_list
-- Where a user is signed in, the latest used first. The name of a session is the beginning of its hash.
SELECT substr(hash, 1, 32) AS id, address, created_at, last_used_at, expires_at FROM sessions
WHERE user_id = :user_id AND workspace_id = :workspace_id AND expires_at > :now
ORDER BY last_used_at DESC, hash LIMIT :limit;

-- name: session_delete_one
-- Signs a user out somewhere.
DELETE FROM sessions WHERE user_id = :user_id AND workspace_id = :workspace_id AND substr(hash, 1, 32) = :id;

-- name: session_delete_others
-- Signs a user out everywhere but here.
DELETE FROM sessions WHERE user_id = :user_id AND substr(hash, 1, 32) <> :id;
