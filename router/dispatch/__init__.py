"""Delivers from the outbox to the integrations.

`dispatcher` schedules the work, `outbox` contains the transactions, `sender` makes the requests, `schedule`
and `pacing` compute times.
"""
