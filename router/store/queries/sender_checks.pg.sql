-- The two databases read JSON lists with different functions.

-- name: sender_checks_by_messages
{stored_checks} WHERE m.id = ANY ({listed_ids});
