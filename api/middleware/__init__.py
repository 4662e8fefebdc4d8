"""What every request passes, from the outside in: request id, errors, time limit, authentication,
rate limit, permission."""
