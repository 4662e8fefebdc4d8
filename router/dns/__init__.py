"""What the DNS says about a domain, and whether that proves that the domain is ours to receive for."""
