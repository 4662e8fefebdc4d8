-- The two databases read JSON lists with different functions, and PostgreSQL needs explicit row locks.

-- name: replies_by_messages
SELECT {reply_columns} FROM {reply_tables} WHERE r.message_id = ANY ({listed_ids});

-- name: reply_recipients_of
SELECT {ReplyRecipient} FROM reply_recipients WHERE reply_id = ANY ({listed_ids});

-- name: reply_recipients_lock
SELECT {ReplyRecipient} FROM reply_recipients WHERE reply_id = :reply_id ORDER BY delivery_id
FOR UPDATE;
