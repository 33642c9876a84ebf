"""Imports of other packages' internals, each in one place."""
