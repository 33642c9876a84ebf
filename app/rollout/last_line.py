"""The last line that child processes have written: a bake that fails says why there, and nowhere else."""

import os
import threading

_END = b"\0"
_BLOCK_BYTES = 65536
#: Of a line that is kept.
_MAX_BYTES = 400


class LastLine:
    """Passes everything that is written to a descriptor on, and keeps the last line. Starts a thread."""

    def __init__(self, descriptor: int) -> None:
        """Take the place of the open `descriptor`, such as standard error."""
        self._descriptor, self._target = descriptor, os.dup(descriptor)
        self._line = b""
        self._has_read = threading.Event()
        reader, writer = os.pipe()
        os.dup2(writer, descriptor)
        os.close(writer)
        threading.Thread(target=self._pass_on, args=(reader,), daemon=True).start()

    def read(self) -> str:
        """Return the last line with content, of what was written before this call."""
        self._has_read.clear()
        os.write(self._descriptor, _END)
        self._has_read.wait()
        return self._line.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Give the descriptor back, once everything is passed on."""
        self.read()
        os.dup2(self._target, self._descriptor)

    def _pass_on(self, reader: int) -> None:
        while block := os.read(reader, _BLOCK_BYTES):
            content = block.replace(_END, b"")
            view = memoryview(content)
            while view:
                view = view[os.write(self._target, view) :]
            for line in filter(bytes.strip, content.splitlines()):
                self._line = line[-_MAX_BYTES:]
            if _END in block:
                self._has_read.set()
