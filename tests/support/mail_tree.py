"""Helpers for the tree of MIME parts."""

from router.mail.structure import Part


def leaves(part: Part) -> list[Part]:
    """Returns the parts without children, in the order of the message."""
    return [leaf for child in part.children for leaf in leaves(child)] if part.children else [part]
