"""Children: their last words, and how a stop reaches them."""

import signal
import subprocess
import threading
import time

import pytest

from rnn_mnist_tf.signals import handling_stops
from rnn_mnist_tf.study import Children
from rnn_mnist_tf.study import children as module


@pytest.fixture
def shell(monkeypatch):
    """Returns a function that runs a line of shell as a child of `Children`."""
    popen = subprocess.Popen

    def run(children, line):
        fake = lambda _, **options: popen(["sh", "-c", line], **options)  # noqa: E731
        monkeypatch.setattr(module.subprocess, "Popen", fake)
        return children.run("program", [])

    return run


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        ("exit 0", (0, "exit code 0")),
        ("echo answer; exit 3", (3, "exit code 3")),
        ("echo first >&2; echo second >&2; exit 1", (1, "second")),
        ("yes long | head -200000 >&2; printf 'last \\n\\n' >&2; exit 1", (1, "last")),
        ("printf '\\377 bytes' >&2; exit 1", (1, "� bytes")),
        ("kill -9 $$", (-9, "ended by SIGKILL")),
    ],
)
def test_endings(shell, line, ending):
    """The exit code or signal, and the last line of stderr, however long it is."""
    assert shell(Children(), line) == ending


def test_a_stop_reaches_the_child(shell, tmp_path):
    """The signal, as it came; not Ctrl-C's, which a shell in the background may not trap."""
    children, ready = Children(), tmp_path / "ready"

    def stop_when_ready():
        while not ready.exists():
            time.sleep(0.01)
        children.stop(signal.SIGTERM)

    threading.Thread(target=stop_when_ready).start()
    line = (
        f"trap 'echo stopping >&2; exit 130' TERM; touch {ready}; while true; do sleep 0.05; done"
    )
    assert shell(children, line) == (130, "stopping")
    assert children.stopped


def test_a_child_of_the_moment_of_a_stop_is_stopped(shell):
    """A signal between the decision to begin and the beginning is not lost."""
    children = Children()
    children.stop(signal.SIGTERM)
    begin = time.monotonic()
    assert shell(children, "exec sleep 60").code == -signal.SIGTERM
    assert time.monotonic() - begin < 30


def test_no_child_outlives_an_interrupt(shell, monkeypatch):
    """Ctrl-C that nobody handles ends the child before it is raised further."""
    started = []

    def interrupted(child, timeout=None):
        if not started:
            started.append(child)
            raise KeyboardInterrupt
        return wait(child, timeout)

    wait = subprocess.Popen.wait
    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shell(Children(), "exec sleep 60")
    assert started[0].poll() == -signal.SIGKILL


def test_handlers_are_given_back():
    """Afterwards Ctrl-C does what it did before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    children = Children()
    with handling_stops(children.stop):
        signal.raise_signal(signal.SIGINT)
    assert children.stopped
    assert {number: signal.getsignal(number) for number in before} == before
