"""Runs of a command that refuses its input."""

from __future__ import annotations

from collections.abc import Callable


def refusal(run: Callable[..., tuple[int, str, list[str]]], *arguments: object) -> str:
    """Return the one line of a command that refuses its input and prints nothing else."""
    code, printed, lines = run(*arguments)
    assert (code, printed, len(lines)) == (2, '', 1), lines
    return lines[0]
