"""The configuration file: keys, bounds, defaults, frozen settings."""
