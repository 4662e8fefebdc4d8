"""Local stand-ins for the outside world, used by `demo` and the tests.

Each listens on 127.0.0.1 on a free port, keeps everything it was asked in memory, and can be told to
misbehave. None of them is ever started by `serve`, `smtp`, `api` or `deliver`.
"""
