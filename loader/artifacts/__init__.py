"""Model directories and baked artifacts on disk: verify, resolve, publish, map."""
