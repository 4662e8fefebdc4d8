"""`emailrouter check`: one module for each group of checks.

A check never changes a file or a row, and never sends mail or posts a message. An exception or a timeout is reported
as a result.
"""
