"""What a door answered, and what every refusal has in common."""

import typing


class Answer(typing.NamedTuple):
    """What a door gave back.

    Attributes:
        code: the exit code.
        out: the text on stdout.
        err: the text on stderr.
    """

    code: int
    out: str
    err: str


def finish(program):
    """Waits for a started program and returns its `Answer`."""
    out, err = program.communicate()
    return Answer(program.returncode, out, err)


def assert_refused(answer, code, *words):
    """A refusal is one line on stderr that has the words, no answer on stdout, and the code."""
    assert len(answer.err.splitlines()) == 1, answer.err
    assert "Traceback" not in answer.err
    assert [word for word in words if word not in answer.err] == []
    assert answer.out == ""
    assert answer.code == code
