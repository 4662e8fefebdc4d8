"""What every request passes, from the outside in: counting, request id, errors, time limit, authentication,
rate limit, permission."""
