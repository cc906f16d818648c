"""What the tests of the command line share: a shell to run commands in, and a collection to run them on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from collecting import COSINE, UUID_TEXT

from vecstore import Collection

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Shell:
    """What a command prints, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int = 0, says: str = "") -> str:
        """Run a command, which leaves with ``code``; an error is one line, and ``says`` what it should."""
        from vecstore.cli.run import run

        self._capsys.readouterr()
        found = run([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        assert found == code, printed.err
        if code and arguments:
            assert printed.err.startswith("vecstore: ")
            assert printed.err.count("\n") == 1
        assert says in printed.err
        return printed.out

    def raw(self, *arguments: object, code: int) -> str:
        """What a command prints that tells there why it leaves with ``code``, and not in an error."""
        from vecstore.cli.run import run

        self._capsys.readouterr()
        assert run([str(argument) for argument in arguments]) == code
        return self._capsys.readouterr().out

    def json(self, *arguments: object, **options: Any) -> Any:
        """The JSON a command prints."""
        return json.loads(self(*arguments, "--json", **options))

    def table(self, *arguments: object, **options: Any) -> list[list[str]]:
        """The words of each line a command prints."""
        return [line.split() for line in self(*arguments, **options).splitlines()]


def keep_points(path: Path) -> Path:
    """A closed collection at ``path``, of thirty points and one more."""
    with Collection(path, vectors=COSINE) as col:
        rows = ({"color": "red" if i % 3 else "blue", "n": i} for i in range(30))
        col.upload({"id": i, "vector": [30 - i, i], "payload": row} for i, row in enumerate(rows))
        col.upload([{"id": UUID_TEXT, "vector": {}, "payload": {"evil": "\x1b[31m\n[red]"}}])
    return path
