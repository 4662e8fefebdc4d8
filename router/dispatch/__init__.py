"""From the outbox to the integrations: `dispatcher` (who works when), `outbox` (what is written), `schedule`, `pacing`."""
