-- name: user_by_id
-- One user of a workspace.
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at
FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_lock
-- One user of a workspace who stays as they are until the transaction ends: for what is given to them. Users are held
-- before tickets, tickets before the workspace.
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at
FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_lock_to_change
-- One user of a workspace, to whom nobody may give anything before the transaction ends.
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at
FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_by_email
-- The user who signs in with this address, in whichever workspace.
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at FROM users WHERE email = :email;

-- name: user_page
-- Users of a workspace, newest first.
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at
FROM users WHERE workspace_id = :workspace_id AND id < :before ORDER BY id DESC LIMIT :limit;

-- name: user_insert
-- A new user, unless the address signs somebody in already.
INSERT INTO users (id, workspace_id, email, name, role, password_hash, timezone, created_at)
VALUES (:id, :workspace_id, :email, :name, :role, :password_hash, :timezone, :created_at)
ON CONFLICT (email) DO NOTHING;

-- name: user_update
-- New values for what may change of a user that the transaction holds.
UPDATE users SET name = :name, role = :role, password_hash = :password_hash, timezone = :timezone,
                 disabled_at = :disabled_at
WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_update_password
-- Another password instead of the one that was shown to be known; nothing changes when that is not theirs any more.
UPDATE users SET password_hash = :password_hash
WHERE id = :id AND workspace_id = :workspace_id AND password_hash = :expected_hash AND disabled_at IS NULL;

-- name: user_by_setup_link
-- The user that the first link is for.
SELECT id, workspace_id, email, name, role, password_hash, timezone, created_at, disabled_at FROM users WHERE id = :id;

-- name: user_complete_setup
-- The first admin says who they are; nothing changes when somebody else has that address.
UPDATE users SET email = :email, name = :name, password_hash = :password_hash
WHERE id = :id AND NOT EXISTS (SELECT 1 FROM users o WHERE o.email = :email AND o.id <> :id);

-- name: user_delete
-- Removes a user with their keys and sessions.
DELETE FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_other_admins
-- How many admins a workspace has besides one.
SELECT count(*) AS admins FROM users
WHERE workspace_id = :workspace_id AND role = 'admin' AND disabled_at IS NULL AND id <> :id;

-- name: user_release_tickets
-- What somebody who leaves had not finished goes back to the queue.
UPDATE tickets SET assigned_to = NULL, claimed_at = NULL, updated_at = :now,
                   status = CASE WHEN status = 'in_progress' THEN 'open' ELSE status END
WHERE workspace_id = :workspace_id AND assigned_to = :user_id AND status <> 'resolved'
RETURNING id;
