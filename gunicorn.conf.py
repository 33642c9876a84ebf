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

from app import memory, process  # noqa: E402
from app.admission import SPARE_THREADS  # noqa: E402
from app.logs import logging_config  # noqa: E402
from app.scoreboard.board import Scoreboard  # noqa: E402
from app.start import settings_from  # noqa: E402
from app.worker import SILENT_CONNECTIONS, SpeechWorker  # noqa: E402

memory.keep_one_heap()
_settings = settings_from(os.environ)
_board = Scoreboard()
_board.describe(places=_settings.threads, queue=_settings.admission.queue)

wsgi_app = "app.wsgi:create()"
preload_app = _settings.preload
bind = _settings.bind
workers = _settings.workers or process.usable_cores()
worker_class = SpeechWorker
# So many are served at a time, the others wait for their turn or are told at once that they cannot have one
# (app.admission), and so many answers wait for slow clients (app.parking): for each a thread, made when it is first needed.
threads = _settings.threads + _settings.admission.queue + _settings.admission.parked + SPARE_THREADS
# Clients that have said nothing yet have no thread, and must not keep those out that have.
worker_connections = threads + SILENT_CONNECTIONS
keepalive = 0
limit_request_line = 8190  # GET /api/tts carries its text there
graceful_timeout = int(_settings.request_timeout_s)
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
control_socket_disable = True  # it is a thread in the master
logconfig_dict = logging_config(_settings.log_format)

on_starting = process.before_start(_settings)
when_ready = process.freeze
pre_fork = process.before_fork(_board)
post_fork = process.thaw
post_worker_init = process.begin_work
worker_int = process.stop_at_once
worker_exit = process.end_with_status
child_exit = process.report_lost_worker
