"""Run work on releases in processes that are killed before their first step, before their second, and so on.

A step is an access of the disk, or a line of the code that makes them.
"""

import itertools

from tests.loader.children import answer_of

_PROGRAM = """
import json, os, sys
from pathlib import Path
from loader.releases import fetch
from loader.releases.installed import InstalledReleases

os.fsync = lambda descriptor: None  # see conftest.quick_folder
by_line, source, folders = sys.argv[1] == "True", sys.argv[2], sys.argv[3:]
STEPS = {"os.rename", "os.remove", "os.symlink", "os.link", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "open"}
used = []
for left, folder in enumerate(folders):
    used.append(folder)
    installed = InstalledReleases(source, Path(folder))
    if not (pid := os.fork()):
        def step():
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), 9)
        def count(event, arguments):
            if event in STEPS and (folder in str(arguments) or event in ("os.truncate", "os.chmod")):
                step()
        def trace(frame, event, argument):
            if event == "line":
                step()
            code = frame.f_code
            return trace if code.co_filename.endswith(("files.py", "installed.py")) or code.co_name == "write_bytes" else None
        if by_line:
            sys.settrace(trace)
        else:
            sys.addaudithook(count)
        try:
WORK
        finally:
            sys.settrace(None)
            os._exit(0 if sys.exc_info()[0] is None else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != -9:
        break
print(json.dumps([status, used]))
"""


def killed_at_every_step(work, source, tmp_path, prepare=lambda folder: None, most=80, by_line=False):
    """Run `work`, in which `installed` is of `source`, in one folder for each step; return the folders.

    The last one is of the process that ended by itself.
    """
    lines = [line.strip() for line in work.strip().splitlines()]
    program = _PROGRAM.replace("WORK", "\n".join(f"            {line}" for line in lines))
    folders = [tmp_path / f"step-{step}" for step in range(most)]
    for folder in folders:
        prepare(folder)
    status, used = answer_of(program, by_line, source, *folders)
    assert status == 0, f"the process ended with {status} at step {len(used)}"
    return list(itertools.islice(folders, len(used)))
