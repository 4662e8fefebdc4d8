"""`emailrouter check`: one module for each group of checks.

A check never changes data, sends mail or posts a message. An exception or a timeout is reported
as a result.
"""
