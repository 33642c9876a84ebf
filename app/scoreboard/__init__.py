"""The scoreboard: state and counters of all workers, in memory that the processes of a server share."""
