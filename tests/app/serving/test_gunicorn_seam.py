"""The undocumented names of gunicorn that app/serving uses: each must exist and behave as in 27.0.1.

A failure says which name changed and which module depends on it; the list is in app/serving/__init__.py.
"""

import inspect
import re
import socket
from types import SimpleNamespace

import pytest
from gunicorn import SERVER_SOFTWARE, arbiter, http
from gunicorn.app.base import BaseApplication
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http import errors as gunicorn_errors
from gunicorn.http import wsgi
from gunicorn.workers.base import Worker
from gunicorn.workers.sync import SyncWorker

import app.serving
from app.serving.request_errors import _REFUSALS, OURS

Arbiter = arbiter.Arbiter


def source(function):
    return inspect.getsource(function)


def parameters(function):
    return list(inspect.signature(function).parameters)


def written_answer():
    """Have gunicorn parse a request from a socket and answer it, as our worker does; return what the client reads."""
    config = Config()
    server, client = socket.socketpair()
    with server, client:
        client.sendall(b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        worker = SyncWorker(1, 0, [], None, 30, config, Logger(config))
        worker.tmp.close()
        seen = {}

        def application(environ, start_response):
            seen.update(environ)
            start_response("200 OK", [("Content-Length", "2")])
            return [b"o", b"k"]

        worker.wsgi = application
        listener = SimpleNamespace(getsockname=lambda: ("10.0.0.1", 80))
        worker.handle_request(listener, next(http.get_parser(config, server, ("1.2.3.4", 5))), server, ("1.2.3.4", 5))
        server.shutdown(socket.SHUT_WR)
        assert seen["PATH_INFO"] == "/a b" and seen["gunicorn.socket"] is server
        return client.makefile("rb").read()


def wakes_between_signals_and_workers():
    """Whether the master's loop waits, handles signals, checks heartbeats and manages workers, in this order."""
    steps = re.findall(r"self\.(wait_for_signals|murder_workers|manage_workers)\(", source(Arbiter.run))
    return ["manage_workers", "wait_for_signals", "murder_workers", "manage_workers"] == steps


#: Each name: the module that uses it, and the condition that must hold.
SEAM = {
    "Arbiter.WORKERS": ("arbiter.py", lambda: "self.WORKERS[pid] = worker" in source(Arbiter.spawn_worker)),
    "Arbiter.num_workers": ("arbiter.py", lambda: "while len(workers) > self.num_workers" in source(Arbiter.manage_workers)
                            and isinstance(inspect.getattr_static(Arbiter, "num_workers"), property)),
    "Arbiter.manage_workers": ("arbiter.py", lambda: ["self"] == parameters(Arbiter.manage_workers)
                               and "sorted(workers, key=lambda w: w[1].age)" in source(Arbiter.manage_workers)),
    "Arbiter.wait_for_signals": ("arbiter.py", lambda: ["self", "timeout"] == parameters(Arbiter.wait_for_signals)
                                 and wakes_between_signals_and_workers()),
    "Arbiter.handle_hup": ("arbiter.py", lambda: ["self"] == parameters(Arbiter.handle_hup)
                           and 'getattr(self, "handle_%s" % signame' in source(Arbiter.run)),
    "Arbiter.START_CTX": ("arbiter.py", lambda: "self.START_CTX['args']" in source(Arbiter.reexec)),
    "Arbiter.halt": ("hooks.py", lambda: ["self", "reason", "exit_status"] == parameters(Arbiter.halt)),
    "Application.callable": ("rollout.py", lambda: "return self.callable" in source(BaseApplication.wsgi)),
    "Application.load": ("rollout.py", lambda: "self.callable = self.load()" in source(BaseApplication.wsgi)
                         and ["self"] == parameters(WSGIApplication.load)),
    "Worker.age": ("arbiter.py", lambda: "self.age = age" in source(Worker.__init__)
                   and "(pid, _) = workers.pop(0)" in source(Arbiter.manage_workers)),
    "Worker.alive": ("worker.py", lambda: "self.alive = False" in source(Worker.handle_exit)
                     and "signal.signal(signal.SIGTERM, self.handle_exit)" in source(Worker.init_signals)),
    "Worker.sockets": ("worker.py", lambda: "self.sockets = sockets" in source(Worker.__init__)),
    "Worker.wsgi": ("worker.py", lambda: "self.wsgi = self.app.wsgi()" in source(Worker.load_wsgi)),
    "Worker.handle_error": ("worker.py", lambda: ["self", "req", "client", "addr", "exc"] == parameters(Worker.handle_error)
                            and "self.handle_error(req, client, addr, e)" in source(SyncWorker.handle)),
    "Worker.aborted": ("arbiter.py", lambda: "if not worker.aborted:" in source(Arbiter.murder_workers)),
    "SyncWorker.handle": ("worker.py", lambda: ["self", "listener", "client", "addr"] == parameters(SyncWorker.handle)
                          and "listener.getsockname()" in source(SyncWorker.handle_request)),
    "SyncWorker.handle_request": ("worker.py", lambda: b"Connection: close" in written_answer()
                                  and written_answer().endswith(b"\r\n\r\nok")),
    "gunicorn.http.get_parser": ("worker.py", lambda: ["cfg", "source", "source_addr"] == parameters(http.get_parser)[:3]),
    "gunicorn.http.errors": ("request_errors.py", lambda: {name for name, _, _ in _REFUSALS} | set(OURS) == parse_errors()),
    "gunicorn.socket": ("../scheduling/deadline.py", lambda: '"gunicorn.socket": sock' in source(wsgi.default_environ)),
}  # fmt: skip


def parse_errors():
    base = gunicorn_errors.ParseException
    classes = {name: each for name, each in vars(gunicorn_errors).items() if inspect.isclass(each)}
    return {name for name, each in classes.items() if issubclass(each, base) and each is not base}


@pytest.mark.parametrize("name", SEAM)
def test_gunicorn_still_has_the_name(name):
    module, is_as_known = SEAM[name]
    try:
        is_same = is_as_known()
    except Exception:
        is_same = False

    assert is_same, f"{SERVER_SOFTWARE} changed {name}: see app/serving/{module}"


def test_the_list_of_names_is_complete():
    listed = re.sub(r"\([\w. /,]*\)", "", app.serving.__doc__.partition("\n- ")[2])
    words = set(re.findall(r"[A-Za-z_.]+", listed))

    assert {name.rpartition(".")[2] for name in SEAM} - {word.rpartition(".")[2] for word in words} == set()
    assert f"These {len(SEAM)} names" in app.serving.__doc__
