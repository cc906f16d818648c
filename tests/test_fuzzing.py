"""A little of the fuzzing, and that it finds what it looks for. ``python -m tests.long.fuzzing`` is the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from long import fuzzing, targets
from long.mutating import ANY, Choices, changed, cut_up
from long.values import PLAIN
from profiles import times

from vecstore.encoding import pack
from vecstore.errors import InvalidId

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_input_is_answered_or_refused() -> None:
    said: list[str] = []
    inputs = times(20_000)
    counts = fuzzing.run(inputs, 7, said.append, processes=1)
    assert sum(counts.values()) == inputs
    assert list(counts) == list(targets.TARGETS)
    assert counts == fuzzing.shares(inputs)
    assert f"{inputs:,} of {inputs:,} inputs" in said[-1]


@pytest.mark.parametrize("inputs", [1, 99, 12_345])
def test_the_shares_are_all_there_is(inputs: int) -> None:
    assert sum(fuzzing.shares(inputs).values()) == inputs
    assert sum(job[1] for job in fuzzing.jobs(inputs, 1)) == inputs
    assert len(set(fuzzing.jobs(inputs, 1))) == len(list(fuzzing.jobs(inputs, 1)))


def _broken(error: Exception) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        if len(data) > 30:
            raise error

    return run


def test_what_is_no_answer_is_told_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fuzzing.TARGETS, "ids", targets.Target(_broken(InvalidId("fine")), 100))
    fuzzing.do(("ids", 100, 1))
    monkeypatch.setitem(fuzzing.TARGETS, "ids", targets.Target(_broken(KeyError("not fine")), 100))
    with pytest.raises(fuzzing.Fault, match="KeyError: 'not fine'") as raised:
        fuzzing.do(("ids", 100, 1))
    data = bytes.fromhex(str(raised.value).split()[-1])
    assert len(data) > 30
    with pytest.raises(fuzzing.Fault):
        fuzzing.try_one("ids", data)


def test_a_check_of_a_target_that_fails_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "same", lambda one, other: False)
    with pytest.raises(fuzzing.Fault, match="AssertionError"):
        fuzzing.do(("writes", 1000, 1))


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_meets_both_right_and_wrong_inputs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that refused everything, or nothing, would look at little."""
    outcomes: set[bool] = set()

    def run(data: bytes) -> None:
        try:
            before[name].run(data)
        except Exception:
            outcomes.add(False)
            raise
        outcomes.add(True)

    before = dict(targets.TARGETS)
    monkeypatch.setitem(fuzzing.TARGETS, name, targets.Target(run, 1))
    fuzzing.do((name, 300, 3))
    refuses_inside = {"datetimes", "log values", "journal values"}
    assert outcomes - {False} == {True}
    assert False in outcomes or name in refuses_inside


def test_the_same_bytes_make_the_same_input_and_leave_the_example_alone() -> None:
    example = {"a": [1, {"b": "text"}], "c": b"bytes"}
    before, made = repr(example), set()
    for number in range(500):
        data = number.to_bytes(2, "big") * 7
        first = changed(example, Choices(data), PLAIN)
        assert repr(first) == repr(changed(example, Choices(data), PLAIN))
        made.add(repr(first))
        assert cut_up(b"0123456789", Choices(data)) == cut_up(b"0123456789", Choices(data))
    assert repr(example) == before
    assert len(made) > 100


def test_what_is_plain_can_be_packed() -> None:
    pack(PLAIN)
    assert len(ANY) > len(PLAIN)
    assert ANY[0] is PLAIN[0]


def test_it_runs_from_the_root_of_the_repository() -> None:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "tests.long.fuzzing", "--inputs", "300", "--seed", "5", "--processes", "1"]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert "300  inputs, every one of them answered or refused" in found
