"""What every worker of a server is doing, and has done, in memory that all of its processes share."""
