"""Which BitMail this is."""

from store.version import version

__all__ = ["version"]
