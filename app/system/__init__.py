"""Limits and reports of the operating system: CPU quota, memory, the heap."""
