"""DNS queries, and verification of domains by their DNS records."""
