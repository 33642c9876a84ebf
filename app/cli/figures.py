"""Numbers as a person reads them."""


def megabytes(size_bytes: int) -> str:
    """Return a size in millions of bytes."""
    return f"{size_bytes / 1e6:,.1f} MB"
