-- The program splits texts into words itself, because PostgreSQL's parser uses rules that SQLite does not have.

-- name: search_lock
-- The bytes of "search" as a number.
SELECT pg_advisory_xact_lock(126879263777640);

-- name: search_tickets_by_message
SELECT DISTINCT {indexed_columns} FROM {indexed_tables} WHERE tm.message_id = ANY (CAST(:message_id AS TEXT[])) AND {is_not_queued}
ORDER BY t.id, m.id;

-- name: search_window
-- A GIN index has no order, so each ticket is also indexed under its time ranges of five sizes. The query contains at
-- most 16 ranges; if more are needed, it searches the whole workspace. The word of the workspace leaves out its spam, or
-- the other tickets. MATERIALIZED keeps PostgreSQL from using the index of positions instead of the GIN index.
WITH range_size AS (
    SELECT min(bits) AS bits FROM unnest(CAST(ARRAY[33, 37, 41, 45, 49] AS INTEGER[])) AS bits
    WHERE ((CAST(:until AS BIGINT) - 1) >> bits) - (CAST(:since AS BIGINT) >> bits) < 16
), covering AS (
    SELECT string_agg(concat('''_', bits, '_', n, '_', right(:workspace_id, 4), ''''), ' | ') AS words
    FROM range_size, generate_series(CAST(:since AS BIGINT) >> bits, (CAST(:until AS BIGINT) - 1) >> bits) AS n
), parsed AS (
    SELECT CAST(concat_ws(' & ', CAST(:criteria AS JSON) ->> 'index', CAST(:criteria AS JSON) ->> 'scope',
                          '(' || words || ')') AS tsquery) AS query
    FROM covering
), in_index AS MATERIALIZED (
    SELECT s.ticket_id, s.index_position, s.words FROM ticket_search s
    WHERE ticket_search_vector(s.words, s.index_position, s.workspace_id) @@ (SELECT query FROM parsed)
      AND s.workspace_id = :workspace_id
), matching AS MATERIALIZED (
    SELECT ticket_id, words FROM in_index
    WHERE index_position >= CAST(:since AS BIGINT) AND index_position < CAST(:until AS BIGINT)
    LIMIT CAST(:max_matches AS BIGINT) + 1
), counted AS MATERIALIZED (
    SELECT count(*) AS matches FROM matching
)
SELECT counted.matches, page.*
FROM counted LEFT JOIN (
    SELECT {Ticket:t}
    FROM (
        SELECT ticket_id FROM matching
        WHERE ticket_id < :before AND NOT EXISTS (
            SELECT 1 FROM json_array_elements(CAST(:criteria AS JSON) -> 'residual') AS part
            WHERE NOT EXISTS (
                SELECT 1 FROM json_array_elements_text(part) AS needle
                WHERE strpos(concat(' ', matching.words, ' '), needle) > 0
            )
        )
        ORDER BY ticket_id DESC
        LIMIT {if discards_matches: CAST(:max_matches AS BIGINT)}{if not discards_matches: CAST(:limit AS BIGINT)}
    ) AS page_ids JOIN tickets t ON t.id = page_ids.ticket_id
    WHERE (SELECT matches FROM counted) <= CAST(:max_matches AS BIGINT) AND {ticket_conditions}
    ORDER BY t.id DESC LIMIT CAST(:limit AS BIGINT)
) AS page ON TRUE
ORDER BY page.id DESC;

-- name: search_match_tickets
-- OFFSET 0 makes PostgreSQL run the subquery for each ticket.
SELECT s.ticket_id,
       NOT EXISTS (
           SELECT 1 FROM json_array_elements(CAST(:criteria AS JSON) -> 'complete') AS part
           WHERE NOT EXISTS (SELECT 1 FROM json_array_elements_text(part) AS needle WHERE strpos(s.words, needle) > 0)
       ) AS complete,
       NOT EXISTS (
           SELECT 1 FROM json_array_elements(CAST(:criteria AS JSON) -> 'prefix') AS part
           WHERE NOT EXISTS (SELECT 1 FROM json_array_elements_text(part) AS needle WHERE strpos(s.words, needle) > 0)
       ) AS prefix
FROM json_array_elements_text(CAST(:ids AS JSON)) AS ticket (id)
CROSS JOIN LATERAL (
    SELECT found.ticket_id, concat(' ', found.words, ' ') AS words
    FROM ticket_search found JOIN tickets t ON t.id = found.ticket_id
    WHERE found.ticket_id = ticket.id AND {ticket_conditions} OFFSET 0
) AS s;
