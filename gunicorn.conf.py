"""The process model on one page: the master opens the voices, proves itself single-threaded, and forks.

Weights are mapped once; workers inherit the mapping, the sessions and every imported
module. gunicorn reads this file, then app.wsgi, then calls the hooks in the order below.
"""

import gc
import os

# Both before numpy is first imported: its BLAS starts threads, and forking with threads hangs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A collection in the master would move objects about that all workers share; see when_ready.
gc.disable()

from loader.standard_streams import reopen_closed_streams  # noqa: E402

# Before the scoreboard and the listener, which would get the numbers of closed streams.
reopen_closed_streams()

from app.logs import logging_config  # noqa: E402
from app.scheduling.admission import SPARE_THREADS  # noqa: E402
from app.scoreboard.board import Scoreboard  # noqa: E402
from app.serving import hooks  # noqa: E402
from app.serving.request_buffer import MAX_LINE_BYTES  # noqa: E402
from app.serving.worker import SILENT_CONNECTIONS, SpeechWorker  # noqa: E402
from app.startup import needed_to_serve, one_clear_message, require_open_files, settings_from  # noqa: E402
from app.system import heap  # noqa: E402
from app.system.cgroup import cpu_budget  # noqa: E402

heap.keep_one_heap()
# Read once: app.wsgi in each worker gets the same settings.
_settings = settings_from(os.environ)
_workers = _settings.workers or cpu_budget().used
with one_clear_message():
    _files = needed_to_serve(_settings, _workers)
    require_open_files(_files, wanted=_files + SILENT_CONNECTIONS)
_board = Scoreboard()
_board.describe(places=_settings.threads, queue=_settings.admission.queue)

wsgi_app = "app.wsgi:create()"
preload_app = _settings.preload
bind = _settings.bind
workers = _workers
worker_class = SpeechWorker
# So many are served at a time, the others wait for their turn or are told at once that they cannot have one
# (app.scheduling.admission), and so many answers wait for slow clients (app.scheduling.parking): for each a thread, made
# when it is first needed.
threads = _settings.threads + _settings.admission.queue + _settings.admission.parked + SPARE_THREADS
# Clients that have said nothing yet have no thread, and must not keep those out that have.
worker_connections = threads + SILENT_CONNECTIONS
keepalive = 0
limit_request_line = MAX_LINE_BYTES  # GET /api/tts carries its text there
# gunicorn takes SCRIPT_NAME and PATH_INFO from headers of clients it trusts, and refuses headers that contradict each other
# about the scheme. Nothing here is served below another path, and no URL is made of the scheme.
forwarder_headers = ""
secure_scheme_headers = {}
graceful_timeout = int(_settings.request_timeout_s)
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True  # it is a thread in the master
logconfig_dict = logging_config(_settings.log_format)

on_starting = hooks.before_start(_settings)
when_ready = hooks.freeze
pre_fork = hooks.before_fork(_board)
post_fork = hooks.thaw
post_worker_init = hooks.begin_work
worker_int = hooks.stop_at_once
worker_exit = hooks.end_with_status
child_exit = hooks.report_lost_worker
