"""Everything that touches gunicorn: hooks, master, worker, sockets.

The application and the settings are passed to gunicorn by its documented interface: settings, server hooks, and a worker
class with `run`, `notify` and `cfg`. These 20 names of gunicorn 27.0.1 are undocumented; tests/app/serving/test_gunicorn_seam.py
checks each of them, and names the module to look at when gunicorn changes one:

- Arbiter: WORKERS, num_workers, manage_workers, wait_for_signals, handle_hup, START_CTX (arbiter.py), halt (hooks.py)
- Application: callable, load (rollout.py)
- Worker: alive, sockets, wsgi, handle_error (worker.py), aborted, age (arbiter.py)
- SyncWorker: handle_request, handle (worker.py)
- gunicorn.http.get_parser (worker.py), the classes of gunicorn.http.errors (request_errors.py)
- the WSGI environment's `gunicorn.socket` (app/scheduling/deadline.py)
"""
