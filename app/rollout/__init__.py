"""Rollout of revisions: what a worker serves from, the preparation of a new one beside the old one, and the canary's verdict."""
