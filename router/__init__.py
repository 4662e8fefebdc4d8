"""The core of Email Router: accepts, routes, stores and delivers messages.

The core does not depend on the packages `smtp`, `api` and `emailrouter`, which translate SMTP, HTTP and the command
line to its interfaces.
"""
