"""From the outbox to the integrations.

`dispatcher` says who works when, `outbox` what is written, `sender` makes the request, `schedule` and `pacing` compute.
"""
