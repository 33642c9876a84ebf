"""What the operating system limits and reports: memory, CPU quota, open files."""
