"""A workspace as one document: the document, what of it matches what exists, export, apply."""
