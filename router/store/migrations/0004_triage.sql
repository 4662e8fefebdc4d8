-- The newest message of a ticket that a user has read, by its sequence. 0 means that no message of the ticket counts as
-- read.
CREATE TABLE ticket_reads (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    ticket_id TEXT NOT NULL REFERENCES tickets (id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (user_id, ticket_id)
) /*sqlite WITHOUT ROWID */;
-- For the erasure of a ticket.
CREATE INDEX ticket_reads_by_ticket ON ticket_reads (ticket_id);

-- In tickets without a row in ticket_reads, messages received before this time, or before the creation of the user,
-- count as read.
ALTER TABLE users ADD COLUMN unread_since BIGINT NOT NULL DEFAULT 0;
UPDATE users SET unread_since =
    /*pg CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) */
    /*sqlite CAST(strftime('%s', 'now') AS INTEGER) * 1000000 */;

-- Why the first message is automatic; '' if the ticket contains a message of a person.
ALTER TABLE tickets ADD COLUMN automatic TEXT NOT NULL DEFAULT '';
UPDATE tickets SET automatic = COALESCE((
    SELECT m.automatic FROM ticket_messages tm JOIN messages m ON m.id = tm.message_id
    WHERE tm.ticket_id = tickets.id ORDER BY tm.sequence, m.id LIMIT 1), '')
WHERE id IN (
        SELECT tm.ticket_id FROM messages m JOIN ticket_messages tm ON tm.message_id = m.id WHERE m.automatic <> '')
  AND NOT EXISTS (
        SELECT 1 FROM ticket_messages tm JOIN messages m ON m.id = tm.message_id
        WHERE tm.ticket_id = tickets.id AND m.automatic = '');

-- When the oldest reply arrived that is not answered; NULL if it is the first message of the ticket. Only a reply to a
-- ticket that is waiting or resolved changes it.
ALTER TABLE tickets ADD COLUMN unanswered_since BIGINT;
UPDATE tickets SET unanswered_since = (
    SELECT min(reply.at) FROM ticket_events reply
    WHERE reply.ticket_id = tickets.id AND reply.type = 'ticket.reopened' AND reply.actor_type = 'mail'
      AND reply.sequence > (
        SELECT max(answer.sequence) FROM ticket_events answer
        WHERE answer.ticket_id = tickets.id AND (
            answer.type = 'ticket.resolved'
            OR (answer.type = 'ticket.status_changed' AND answer.detail LIKE '%"to": "waiting"%'))))
WHERE status IN ('open', 'in_progress')
  AND id IN (SELECT ticket_id FROM ticket_events WHERE type = 'ticket.reopened' AND actor_type = 'mail');

-- The start of the text in one line, and the number of attachments that are not images in the text. Only the messages
-- of unresolved tickets get them here: this update rewrites their HTML, and no mail is accepted while it runs. The
-- others get them when they are parsed again.
ALTER TABLE message_contents ADD COLUMN snippet TEXT NOT NULL DEFAULT '';
ALTER TABLE message_contents ADD COLUMN files BIGINT NOT NULL DEFAULT 0;
UPDATE message_contents SET
    snippet =
        /*pg left(btrim(regexp_replace(left(text, 1000), '\s+', ' ', 'g')), 200) */
        /*sqlite trim(substr(replace(replace(replace(
            replace(replace(replace(substr(text, 1, 1000), char(9), ' '), char(10), ' '), char(13), ' '),
            ' ', char(1) || char(2)), char(2) || char(1), ''), char(1) || char(2), ' '), 1, 200)) */,
    files = (length(attachments) - length(replace(attachments, '"inline": false', ''))) / 15
WHERE message_id IN (
    SELECT tm.message_id FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id WHERE t.status <> 'resolved');
/*sqlite
-- Without this index, reading the two columns would also read the text and the HTML, which are stored before them.
CREATE INDEX message_contents_preview ON message_contents (message_id, snippet, files);
*/

CREATE INDEX tickets_waiting ON tickets (workspace_id, COALESCE(unanswered_since, received_at), id)
    WHERE status IN ('open', 'in_progress');
CREATE INDEX tickets_automatic ON tickets (workspace_id, id) WHERE automatic <> '';
