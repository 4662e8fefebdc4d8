-- Drafts of users (router/admin/tickets/drafts.py).

-- name: draft_find
-- The draft of a kind that a user has for a ticket.
SELECT kind, text, saved_at, html, to_addresses, cc_addresses, bcc_addresses, attachments
FROM drafts WHERE user_id = :user_id AND ticket_id = :ticket_id AND kind = :kind;

-- name: draft_save
-- Saves a draft, instead of an earlier one.
INSERT INTO drafts {values:user_id TEXT, ticket_id TEXT, kind TEXT, text TEXT, saved_at BIGINT, html TEXT, to_addresses TEXT,
                    cc_addresses TEXT, bcc_addresses TEXT, attachments TEXT}
ON CONFLICT (user_id, ticket_id, kind) DO UPDATE
SET text = excluded.text, saved_at = excluded.saved_at, html = excluded.html, to_addresses = excluded.to_addresses,
    cc_addresses = excluded.cc_addresses, bcc_addresses = excluded.bcc_addresses, attachments = excluded.attachments;

-- name: draft_delete
-- Deletes a draft.
DELETE FROM drafts WHERE user_id = :user_id AND ticket_id = :ticket_id AND kind = :kind;

-- name: draft_delete_equal
-- Deletes a draft with the given text.
DELETE FROM drafts WHERE user_id = :user_id AND ticket_id = :ticket_id AND kind = :kind AND text = :text;
