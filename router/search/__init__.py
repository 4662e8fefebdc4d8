"""Search terms, and the search for tickets by them."""
