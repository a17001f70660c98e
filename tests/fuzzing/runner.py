"""Many cases in processes of their own: what hangs, crashes or grows is contained and told."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fuzzing.cases import RUN, BrokenPromiseError, Case

BATCH = 200
"""Cases of one process, between which memory must not grow."""

MAX_MEMORY = 6 * 2**30
"""Bytes that a process may reserve beyond those that it has from the start."""

MAX_GROWTH = 700 * 2**20
"""Bytes that one case may take for itself, beyond what the process has before it. The largest
picture that is decoded, whatever its file holds, takes 512 MiB."""

_KILLED_AFTER = 5

_PATIENCE = 6
"""How many times the limit, in seconds of a processor, a case may take by the clock."""


class CaseTimeoutError(BaseException):
    """A case runs for too long; not an ``Exception``, which code under test may catch."""


@dataclass(frozen=True)
class Finding:
    """What a case found.

    Args:
        case: The case.
        kind: 'traceback', 'hang', 'crash', 'memory' or what :class:`BrokenPromiseError` says.
        what: Where and what, equal for findings of one cause.
        text: All that is known.
    """

    case: Case
    kind: str
    what: str
    text: str


@dataclass
class Tally:
    """What was run, and what was found.

    Args:
        outcomes: (kind of case, outcome) -> number.
        findings: All findings.
        seconds: Time that the cases took.
        slowest: Seconds of the slowest case, and the case.
        largest: Largest growth of memory by one case in bytes, and the case.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, '')
    largest: tuple[int, str] = (0, '')


def run_cases(
    cases: Sequence[Case],
    limit: float = 10.0,
    run: Callable[[Case], str] | None = None,
    until: float | None = None,
) -> Tally:
    """Run cases in forked processes, a batch each.

    Args:
        cases: The cases.
        limit: Seconds of a processor that one may take.
        run: What to do in place of the case's own.
        until: ``time.monotonic()`` at which to stop.
    """
    tally = Tally()
    began = time.monotonic()
    place = 0
    while place < len(cases) and (until is None or time.monotonic() < until):
        place += _run_batch(cases[place : place + BATCH], limit, run or _run, tally)
    tally.seconds = time.monotonic() - began
    return tally


def _run(case: Case) -> str:
    return RUN[case.kind](case.seed)


def _run_batch(
    cases: Sequence[Case], limit: float, run: Callable[[Case], str], tally: Tally
) -> int:
    """Run cases in one process; return how many are done, less where the process was lost."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            _work(cases, limit, run, writer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    current = 0
    lost = None
    for line in _lines(reader, _PATIENCE * limit + _KILLED_AFTER):
        if line is None:
            lost = 'hang'
            os.kill(child, signal.SIGKILL)
            break
        message = json.loads(line)
        if 'begin' in message:
            current = message['begin']
        else:
            _count(message, cases[current], tally)
            current += 1
    os.close(reader)
    _, status = os.waitpid(child, 0)
    if lost is None and status != 0:
        lost = 'crash'
    if lost is None or current >= len(cases):
        return len(cases)
    case = cases[current]
    tally.outcomes[case.kind, lost] += 1
    what = 'beyond the reach of a signal' if lost == 'hang' else f'status {status}'
    tally.findings.append(Finding(case, lost, what, what))
    return current + 1


def _lines(reader: int, wait: float) -> Iterator[str | None]:
    """Yield lines from a pipe until its end; None where none has come for a while."""
    rest = b''
    while True:
        ready, _, _ = select.select([reader], [], [], wait)
        if not ready:
            yield None
            return
        data = os.read(reader, 2**16)
        if not data:
            return
        *lines, rest = (rest + data).split(b'\n')
        yield from (line.decode() for line in lines)


def _count(message: dict[str, Any], case: Case, tally: Tally) -> None:
    tally.outcomes[case.kind, message['outcome']] += 1
    name = f'{case.kind} {case.seed}'
    tally.slowest = max(tally.slowest, (message['seconds'], name))
    tally.largest = max(tally.largest, (message['growth'], name))
    if 'what' in message:
        tally.findings.append(Finding(case, message['outcome'], message['what'], message['text']))


def _work(cases: Sequence[Case], limit: float, run: Callable[[Case], str], writer: int) -> None:
    """Run cases and report each, in a process of its own."""

    def stop(*_: object) -> None:
        raise CaseTimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGPROF, stop)
    reserved = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (reserved + MAX_MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    for number, case in enumerate(cases):
        os.write(writer, json.dumps({'begin': number}).encode() + b'\n')
        before, began = _forget_peak(), time.monotonic()
        message: dict[str, Any] = {}
        # A busy machine is slow, but who waits for a pipe takes no time of a processor.
        signal.setitimer(signal.ITIMER_PROF, limit)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE * limit)
        try:
            message['outcome'] = run(case)
        except CaseTimeoutError as error:
            message = _describe('hang', error)
        except BrokenPromiseError as error:
            message = {'outcome': error.kind, 'what': error.kind, 'text': str(error)}
        except BaseException as error:
            message = _describe('traceback', error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
        growth = _peak() - before
        # The first cases of a process load what all of them need.
        if growth > MAX_GROWTH and 'what' not in message:
            message = {'outcome': 'memory', 'what': 'memory', 'text': f'{growth / 2**20:.0f} MiB'}
        message.update(seconds=time.monotonic() - began, growth=growth)
        os.write(writer, json.dumps(message).encode() + b'\n')


def _forget_peak() -> int:
    """Let the peak of memory begin anew; return the memory in bytes of now.

    A fork begins with the memory of its parent as its peak, of which it may lose much at once.
    """
    Path('/proc/self/clear_refs').write_text('5')
    return _peak()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _describe(kind: str, error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if '/stdpose_mm/' in frame.filename] or frames
    place = f'{own[-1].filename.rpartition("/stdpose_mm/")[2]}:{own[-1].lineno}'
    text = ''.join(traceback.format_exception(error))
    return {'outcome': kind, 'what': f'{type(error).__name__} at {place}', 'text': text[-4000:]}


def distinct(findings: Sequence[Finding]) -> list[tuple[Finding, int]]:
    """Keep one finding for each cause, with the number of those."""
    causes = Counter((f.case.kind, f.kind, f.what) for f in findings)
    kept: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        kept.setdefault((finding.case.kind, finding.kind, finding.what), finding)
    return [(finding, causes[cause]) for cause, finding in kept.items()]


def write_finding(finding: Finding, folder: Path, limit: float) -> None:
    """Write a finding: its seed, what was seen, and the smallest input that shows it."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {**asdict(finding), 'input': _smallest_input(finding, folder, limit)}
    (folder / 'finding.json').write_text(json.dumps(fields, indent=2, ensure_ascii=True) + '\n')


def _smallest_input(finding: Finding, folder: Path, limit: float) -> Any:
    from fuzzing.smallest import smallest_arguments, smallest_sample

    def shows(run: Callable[[Case], str]) -> bool:
        tally = run_cases([finding.case], limit, run)
        return any((f.kind, f.what) == (finding.kind, finding.what) for f in tally.findings)

    if finding.case.kind == 'library':
        sample = smallest_sample(finding.case.seed, shows)
        for name, data in sample.files.items():
            if isinstance(data, bytes):
                path = folder / 'files' / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        return {'sample': sample.name, 'entry': sample.entry, 'files': [*sample.files]}
    if finding.case.kind == 'commands':
        return smallest_arguments(finding.case.seed, shows)
    return None
