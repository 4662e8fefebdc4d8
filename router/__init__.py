"""The core of Email Router: accepts, routes, stores and delivers messages.

Does not depend on the packages `smtp`, `api` and `emailrouter`.
"""
