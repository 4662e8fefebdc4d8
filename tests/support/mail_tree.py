"""The tree of a mail's parts."""

from router.mail.structure import Part


def leaves(part: Part) -> list[Part]:
    """The parts without children, in the order of the mail."""
    return [leaf for child in part.children for leaf in leaves(child)] if part.children else [part]
