"""The REST API, and the dashboard in `api.dashboard`.

Each API call decodes a request, calls one use case of `router.admin` and encodes its result.
"""
