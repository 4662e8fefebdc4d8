"""The REST API: a door. It decodes a request, calls one use case of `router.admin`, and encodes what that returns."""
