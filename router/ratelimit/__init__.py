"""Rate limits for API requests and for failed attempts, such as failed sign-ins."""
