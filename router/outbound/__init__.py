"""Everything that leaves for an address a user chose: the guard on addresses and the HTTP client behind it."""
