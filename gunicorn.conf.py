"""The process model on one page: the master opens the voices, checks that it has one thread, and forks.

Weights are mapped once; workers inherit the mapping, the sessions and every imported module. gunicorn reads this file, then
app.wsgi, then calls the hooks in the order below.
"""

import gc
import os

# Both before numpy is first imported: its BLAS starts threads, and forking with threads hangs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A collection in the master would write to pages that all workers share; see when_ready.
gc.disable()

from loader.standard_streams import reopen_closed_streams  # noqa: E402

# Before the scoreboard and the listener, which would get the descriptors of closed streams.
reopen_closed_streams()

from app.logs import logging_config  # noqa: E402
from app.scheduling.admission import threads_of  # noqa: E402
from app.scoreboard.board import Scoreboard  # noqa: E402
from app.serving import hooks  # noqa: E402
from app.serving.request_buffer import MAX_LINE_BYTES  # noqa: E402
from app.serving.sockets import MAX_LINGERING  # noqa: E402
from app.serving.worker import MAX_PENDING, SpeechWorker  # noqa: E402
from app.startup import needed_to_serve, one_clear_message, require_open_files, settings_from  # noqa: E402
from app.system import heap  # noqa: E402
from app.system.cgroup import cpu_budget  # noqa: E402

heap.keep_one_heap()
# Read once: app.wsgi in each worker gets the same settings.
_settings = settings_from(os.environ)
_workers = _settings.workers or cpu_budget().used
with one_clear_message():
    _files = needed_to_serve(_settings, _workers)
    require_open_files(_files, wanted=_files + MAX_PENDING + MAX_LINGERING)
_board = Scoreboard()
_board.describe(places=_settings.threads, queue=_settings.admission.queue)

wsgi_app = "app.wsgi:create()"
preload_app = _settings.preload
bind = _settings.bind
workers = _workers
worker_class = SpeechWorker
threads = threads_of(_settings)
# Clients whose requests are not complete have no thread, and must not keep the others out.
worker_connections = threads + MAX_PENDING
keepalive = 0
limit_request_line = MAX_LINE_BYTES  # GET /api/tts carries its text there
# gunicorn takes SCRIPT_NAME and PATH_INFO from headers of clients that it trusts, and refuses headers that contradict each
# other about the scheme. The application is not served below another path, and makes no URL with the scheme.
forwarder_headers = ""
secure_scheme_headers = {}
graceful_timeout = int(_settings.request_timeout_s)
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True  # it is a thread in the master
logconfig_dict = logging_config(_settings.log_format)

on_starting = hooks.on_starting(_settings, _board)
when_ready = hooks.when_ready
pre_fork = hooks.pre_fork(_board)
post_fork = hooks.post_fork
post_worker_init = hooks.post_worker_init
worker_int = hooks.worker_int
worker_exit = hooks.worker_exit
child_exit = hooks.child_exit
on_exit = hooks.on_exit
