"""How many workers and threads to serve with: real servers of every candidate, measured under load."""
