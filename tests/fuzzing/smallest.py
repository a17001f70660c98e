"""The smallest input that still shows a finding."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from fuzzing.cases import Case, library_sample, make_command, run_command_line, run_library
from fuzzing.mutations import _places
from fuzzing.samples import Sample

Shows = Callable[[Callable[[Case], str]], bool]
"""Whether a case, run in this way, finds the same."""

MAX_TRIES, MAX_SECONDS = 250, 60


def smallest_sample(seed: str, shows: Shows) -> Sample:
    """Take away from the files of a library case what its finding does not need."""
    sample = library_sample(Random(seed))

    def still(candidate: Sample) -> bool:
        return shows(lambda case: run_library(case.seed, candidate))

    for name in [*sample.files]:
        fewer = {other: data for other, data in sample.files.items() if other != name}
        if fewer and still(replace(sample, files=fewer)):
            sample = replace(sample, files=fewer)
    tries, end = 0, time.monotonic() + MAX_SECONDS
    for name, data in [*sample.files.items()]:
        progress = isinstance(data, bytes)
        while progress:
            progress = False
            current: Any = sample.files[name]
            for smaller in _smaller(current):
                tries += 1
                candidate = replace(sample, files={**sample.files, name: smaller})
                if still(candidate):
                    sample, progress = candidate, True
                    break
                if tries >= MAX_TRIES or time.monotonic() > end:
                    return sample
    return sample


def _smaller(data: bytes) -> Iterator[bytes]:
    """Yield what is left of a file without a value of its JSON, or without a piece."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, (dict, list)):
        for number in range(len(_places(document))):
            copy = json.loads(data)
            container, key = _places(copy)[number]
            del container[key]
            yield json.dumps(copy).encode('utf-8', 'surrogatepass')
        return
    size = len(data) // 2
    while size >= 1:
        for start in range(0, len(data), size):
            yield data[:start] + data[start + size :]
        size //= 2


def smallest_arguments(seed: str, shows: Shows) -> list[str]:
    """Take away from a command line what its finding does not need."""
    arguments = make_command(Random(seed))
    place = 0
    while place < len(arguments):
        fewer = arguments[:place] + arguments[place + 1 :]
        if shows(lambda case, fewer=fewer: run_command_line(case.seed, fewer)):
            arguments = fewer
        else:
            place += 1
    return arguments
