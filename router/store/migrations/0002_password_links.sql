-- The links with which users set their passwords: invitations and resets. A user has at most one, and a new one
-- replaces it. The row is deleted when the link is used, and when the user is disabled or gets a password otherwise.
CREATE TABLE password_links (
    user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- The SHA-256 of the token.
    hash TEXT NOT NULL UNIQUE,
    expires_at BIGINT NOT NULL
);
