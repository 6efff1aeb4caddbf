"""Programs of this package in processes of their own, which end with this one."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import typing

_PR_SET_PDEATHSIG = 1
_TAIL = 1 << 16


class Ending(typing.NamedTuple):
    """How a child ended.

    Attributes:
        code: the exit code; negative after a signal.
        error: the last line that it wrote to stderr, or which signal ended it.
    """

    code: int
    error: str


class Children:
    """Runs one program after the other, and hands a stop on to the one that runs.

    >>> Children().run("semantics", ["--format=word"]).code
    2
    """

    def __init__(self):
        self.stopped = False
        self._child = None

    def run(self, program, arguments):
        """Runs `python -m rnn_mnist_tf.PROGRAM` to its end.

        Args:
            program: its name.
            arguments: its flags.

        Returns:
            An `Ending`.
        """
        with tempfile.TemporaryFile() as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-m", f"rnn_mnist_tf.{program}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches it once, through `stop`
                preexec_fn=_end_with_parent(),
            )
            try:
                if self.stopped:  # while the child was being made
                    self._child.terminate()
                code = self._child.wait()
            except BaseException:
                self._child.kill()
                self._child.wait()
                raise
            finally:
                self._child = None
            return Ending(code, _last_line(errors) or _describe(code))

    def stop(self, number):
        """Sends a signal to the child that runs; no further one is to be started."""
        self.stopped = True
        if self._child is not None:
            self._child.send_signal(number)


def _end_with_parent():
    """Returns what makes a new process end when this one does, even if it is killed."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask():
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before it was asked for
            os._exit(1)

    return ask


def _last_line(file):
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - _TAIL))
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def _describe(code):
    """Returns a line for a process that wrote none.

    >>> _describe(-9), _describe(3)
    ('ended by SIGKILL', 'exit code 3')
    """
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
