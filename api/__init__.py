"""The REST API.

Each call decodes a request, calls one use case of `router.admin` and encodes its result.
"""
