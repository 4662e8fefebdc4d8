-- name: session_insert
-- Inserts a session.
INSERT INTO sessions (hash, workspace_id, user_id, address, created_at, last_used_at, expires_at)
VALUES (:hash, :workspace_id, :user_id, :address, :created_at, :created_at, :expires_at);

-- name: session_by_hash
-- A session by the hash of its token, with the role of its user.
SELECT s.hash, s.workspace_id, s.user_id, s.last_used_at, s.expires_at, u.role, u.disabled_at
FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.hash = :hash;

-- name: session_mark_used
-- Stores the time of the last use, unless a recent time is stored.
UPDATE sessions SET last_used_at = :now WHERE hash = :hash AND last_used_at < :horizon;

-- name: session_delete
-- Ends a session.
DELETE FROM sessions WHERE hash = :hash;

-- name: session_delete_by_user
-- Ends all sessions of a user.
DELETE FROM sessions WHERE user_id = :user_id;

-- name: session_delete_expired
-- Deletes expired sessions.
DELETE FROM sessions WHERE expires_at < :now;

-- name: session_list
-- The sessions of a user, most recently used first. The id of a session is the beginning of its hash.
SELECT substr(hash, 1, 32) AS id, address, created_at, last_used_at, expires_at FROM sessions
WHERE user_id = :user_id AND workspace_id = :workspace_id AND expires_at > :now
ORDER BY last_used_at DESC, hash LIMIT :limit;

-- name: session_delete_one
-- Ends one session of a user.
DELETE FROM sessions WHERE user_id = :user_id AND workspace_id = :workspace_id AND substr(hash, 1, 32) = :id;

-- name: session_delete_others
-- Ends all sessions of a user except one.
DELETE FROM sessions WHERE user_id = :user_id AND substr(hash, 1, 32) <> :id;
