"""The shapes of requests and answers. Requests are strict: nothing unknown, nothing converted."""
