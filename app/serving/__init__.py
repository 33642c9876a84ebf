"""Everything that touches gunicorn: hooks, master, worker, sockets."""
