"""Ctrl-C and TERM while something runs that has to be stopped in order."""

import contextlib
import os
import signal
import threading

_STOPS = (signal.SIGINT, signal.SIGTERM)


def say(line):
    """Writes a line on stderr from a signal's handler, which may be in the midst of a print."""
    with contextlib.suppress(OSError):
        below = "\n" if os.isatty(2) else ""  # a progress bar
        os.write(2, f"{below}{line}\n".encode())


@contextlib.contextmanager
def handling_stops(stop):
    """Calls `stop` at Ctrl-C and TERM; what they did before, they do afterwards.

    Outside of the main thread, where Python lets nobody handle signals, it does nothing.

    Args:
        stop: a function of the signal's number.

    >>> numbers = []
    >>> with handling_stops(numbers.append):
    ...     signal.raise_signal(signal.SIGTERM)
    >>> numbers == [signal.SIGTERM]
    True
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _STOPS}
    for number in _STOPS:
        signal.signal(number, lambda number, _: stop(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
