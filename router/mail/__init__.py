"""Mail as text and octets: addresses, envelopes, headers, bodies. Pure functions; nothing here waits or stores."""
