"""Support for tests: raw clients, real processes, a real PostgreSQL, and stand-ins for external services.

The product imports nothing from here. `tests/*/support_tests` test some of these modules.
"""
