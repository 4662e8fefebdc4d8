"""Delivers from the outbox to the integrations, and runs the maintenance tasks of the deliver role.

`dispatcher` schedules the deliveries, `outbox` contains the transactions, `sender` makes the requests, `schedule`
and `pacing` compute times.
"""
