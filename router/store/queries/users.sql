-- name: user_by_id
-- One user of a workspace.
SELECT {User}
FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_lock
-- One user, locked against changes. Users are locked before tickets, tickets before the workspace.
SELECT {User}
FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_lock_to_change
-- One user, locked so that nothing can be assigned to them.
SELECT {User}
FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_by_email
-- The user with an email address, in any workspace.
SELECT {User} FROM users WHERE email = :email;

-- name: user_page
-- Users of a workspace, newest first, with optional filters. An invited user has no password yet.
SELECT {User}
FROM users WHERE workspace_id = :workspace_id AND id < :before
    {if role: AND role = :role}
    {if status = active: AND disabled_at IS NULL AND password_hash IS NOT NULL}
    {if status = invited: AND disabled_at IS NULL AND password_hash IS NULL}
    {if status = disabled: AND disabled_at IS NOT NULL}
    {if q: AND (lower(name) LIKE :q ESCAPE '\' OR lower(email) LIKE :q ESCAPE '\')}
ORDER BY id DESC LIMIT :limit;

-- name: user_insert
-- Inserts a user, unless the email address is in use.
INSERT INTO users {values:User}
ON CONFLICT (email) DO NOTHING;

-- name: user_update
-- Updates a locked user. NULL removes the password.
UPDATE users SET name = :name, role = :role, password_hash = :password_hash, timezone = :timezone,
                 disabled_at = :disabled_at
WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_update_password
-- Replaces a password that was just verified, unless it was changed or the user was disabled meanwhile.
UPDATE users SET password_hash = :password_hash
WHERE id = :id AND workspace_id = :workspace_id AND password_hash = :expected_hash AND disabled_at IS NULL;

-- name: user_by_setup_link
-- The user of a setup link, by id.
SELECT {User} FROM users WHERE id = :id;

-- name: user_complete_setup
-- Sets email, name and password of the first admin, unless the email address is in use.
UPDATE users SET email = :email, name = :name, password_hash = :password_hash
WHERE id = :id AND NOT EXISTS (SELECT 1 FROM users o WHERE o.email = :email AND o.id <> :id);

-- name: user_delete
-- Deletes a user with their keys and sessions.
DELETE FROM users WHERE id = :id AND workspace_id = :workspace_id;

-- name: user_other_admins
-- The number of other active admins of a workspace.
SELECT count(*) AS admins FROM users
WHERE workspace_id = :workspace_id AND role = 'admin' AND disabled_at IS NULL AND id <> :id;

-- name: user_tickets
-- The first unresolved tickets of a user after an id, locked.
SELECT t.id FROM tickets t
WHERE t.workspace_id = :workspace_id AND t.assigned_to = :user_id AND t.status <> 'resolved' AND t.id > :after
ORDER BY t.id LIMIT :limit;

-- name: user_unassign_tickets
-- Unassigns the given tickets (JSON), which are locked.
UPDATE tickets SET assigned_to = NULL, claimed_at = NULL, updated_at = :now,
                   status = CASE WHEN status = 'in_progress' THEN 'open' ELSE status END
WHERE id IN (SELECT value FROM json_each(:ids));
