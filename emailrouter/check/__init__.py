"""`emailrouter check`, the doctor: one module for each group of checks, `run` for all of them.

A check is a coroutine that takes `Facts` and returns `CheckResult`s. It looks, and changes nothing: no file, no row, no
mail, no message to a channel. Each has a time of its own (`run.PATIENCE`), and one that breaks is a result too.
"""
