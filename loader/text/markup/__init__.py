"""Markup: SSML, Markdown and plain text with pauses, each parsed to a script."""
