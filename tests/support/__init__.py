"""What tests stand on: raw clients, real processes, a real PostgreSQL, scripted outsiders.

Nothing here is imported by the product. Each module has tests of its own in `tests/*/support_tests`.
"""
