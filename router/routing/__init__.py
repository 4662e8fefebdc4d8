"""Routes recipients to aliases."""
