"""How many workers, and how many requests each: measured on the machine that will serve, for `chorus tune`."""
