-- Texts that users have not sent yet. A user has at most one of each kind for a ticket.
CREATE TABLE drafts (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('reply', 'note')),
    text TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, ticket_id, kind)
);
-- For the erasure of a ticket, and for retention.
CREATE INDEX drafts_by_ticket ON drafts (ticket_id);
CREATE INDEX drafts_by_time ON drafts (saved_at);

-- Finds the tickets of a sender. Addresses are compared without regard to case.
CREATE INDEX tickets_by_sender ON tickets (workspace_id, lower(from_address), id);
