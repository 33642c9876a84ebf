"""What the kernel says of this process, of others, and of the machine."""
