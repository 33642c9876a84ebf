"""The memory watchdog of a worker: detects memory that grows with every request, and attributes it, during operation."""
