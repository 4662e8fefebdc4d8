"""`emailrouter check`: one module for each group of checks; `run` runs all of them.

A check is a coroutine function that takes a `CheckContext` and returns `CheckResult`s. It never changes a file or a
row, and never sends mail or posts a message. Each check has a time limit. An exception or a timeout is reported as a
result.
"""
