-- Links with which users set their passwords (router/admin/access/password_links.py).

-- name: password_link_replace
-- Stores the link of a locked user, in place of an earlier one.
INSERT INTO password_links (user_id, hash, expires_at) VALUES (:user_id, :hash, :expires_at)
ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at;

-- name: password_link_user
-- The user of a valid link, by the hash of its token.
SELECT {User} FROM users
WHERE id = (SELECT user_id FROM password_links WHERE hash = :hash AND expires_at > :now) AND disabled_at IS NULL;

-- name: password_link_use
-- Deletes a valid link. Of several concurrent calls, only one deletes the row.
DELETE FROM password_links WHERE user_id = :user_id AND hash = :hash AND expires_at > :now;

-- name: password_link_delete
-- Deletes the link of a user, if any.
DELETE FROM password_links WHERE user_id = :user_id;
