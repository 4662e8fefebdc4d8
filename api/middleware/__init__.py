"""What every request passes, from the outside in: request id, errors, authentication, rate limit."""
