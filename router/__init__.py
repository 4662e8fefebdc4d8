"""The core of Email Router: accepts, routes, stores and delivers messages.

It is independent of SMTP replies, HTTP and the command line, which are in `smtp`, `api` and `emailrouter`.
"""
