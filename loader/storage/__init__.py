"""Files and folders that are written atomically."""
