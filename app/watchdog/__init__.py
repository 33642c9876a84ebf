"""Does this worker's memory grow with every request, what grows, and who holds it: found out while it serves."""
