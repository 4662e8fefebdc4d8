"""The REST API, and the dashboard in `api.dashboard`.

Each API call decodes a request, runs use cases of `router.admin` and encodes the result.
"""
