"""The mutations of tools/misc/fuzz_labels.py: some that always run, and that findings are told."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from random import Random

import pytest

from fuzzing import cases, runner
from fuzzing.cases import (
    BrokenPromiseError,
    Case,
    run_command_line,
    run_evaluation,
    run_library,
    samples,
)
from fuzzing.mutations import mutate
from fuzzing.smallest import smallest_sample
from stdpose_mm.constants import FORMAT_PACKAGES, LABEL_FORMATS
from stdpose_mm.io.labels import read_all_labels


def test_every_format_that_is_read_has_a_sample() -> None:
    covered = {sample.format for sample in samples()}
    assert {name for name, form in LABEL_FORMATS.items() if form.reads} <= covered


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize('sample', samples(), ids=lambda sample: sample.name)
def test_mutations_start_from_files_that_are_right(tmp_path: Path, sample: cases.Sample) -> None:
    if sample.kind != 'labels' or sample.format in FORMAT_PACKAGES:
        assert run_library('right', sample) in ('read', 'refused')
        return
    path = cases.write_files(sample, tmp_path)
    videos = read_all_labels(path, sample.format, (cases.WIDTH, cases.HEIGHT))
    assert any(person.labelled.any() for labels in videos for person in labels.persons)


@pytest.mark.parametrize('hundred', range(3))
def test_mutated_files_are_read_or_refused(hundred: int) -> None:
    outcomes = [run_library(f'tests {hundred}:{number}') for number in range(100)]
    assert outcomes.count('read') > 5
    assert outcomes.count('refused') > 40


@pytest.mark.slow
def test_mutated_command_lines_end_in_work_or_one_sentence() -> None:
    outcomes = [run_command_line(f'tests:{number}') for number in range(60)]
    assert {*outcomes} == {'0', '2'}


def test_random_poses_are_evaluated_within_bounds() -> None:
    outcomes = [run_evaluation(f'tests:{number}') for number in range(60)]
    assert outcomes.count('evaluated') > 15


def test_a_seed_makes_the_same_files_again() -> None:
    assert cases.library_sample(Random('a')) == cases.library_sample(Random('a'))
    sample = samples()[0]
    mutated = {str(mutate(sample, Random(number)).files) for number in range(20)}
    assert len(mutated) > 15


def stays_in_c(_: Case) -> str:
    """What a signal of Python does not reach."""
    import signal

    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    time.sleep(30)
    return 'read'


def hangs(_: Case) -> str:
    time.sleep(30)
    return 'read'


def crashes(_: Case) -> str:
    os._exit(9)


def has_a_bug(_: Case) -> str:
    raise KeyError('frame')


def grows(_: Case) -> str:
    return 'read' if b'x' * (150 * 2**20) else ''


@pytest.mark.parametrize(
    ('run', 'kind', 'what'),
    [
        (hangs, 'hang', 'CaseTimeoutError at'),
        (stays_in_c, 'hang', 'beyond the reach of a signal'),
        (crashes, 'crash', 'status'),
        (has_a_bug, 'traceback', 'KeyError at'),
        (grows, 'memory', 'memory'),
    ],
)
def test_what_breaks_is_told_and_the_other_cases_go_on(monkeypatch, run, kind, what) -> None:
    monkeypatch.setattr(runner, 'MAX_GROWTH', 40 * 2**20)

    limit = 0.3 if kind == 'hang' else 30

    def one_of_three(case: Case) -> str:
        return run(case) if case.seed == '1' else 'read'

    tally = runner.run_cases([Case('library', str(i)) for i in range(3)], limit, one_of_three)

    assert tally.outcomes == {('library', 'read'): 2, ('library', kind): 1}
    (finding,) = tally.findings
    assert (finding.case.seed, finding.kind) == ('1', kind)
    assert finding.what.startswith(what)


def test_a_command_that_touches_other_files_is_found(monkeypatch) -> None:
    def spoil(arguments: list[str]) -> int:
        Path('labels.xml').write_text('spoilt')
        return 0

    monkeypatch.setattr(cases, 'main', spoil)
    with pytest.raises(BrokenPromiseError, match=r'work/labels\.xml') as caught:
        run_command_line('any', ['convert', 'labels.json', 'out.json'])
    assert caught.value.kind == 'touched'


def test_an_output_of_a_command_that_fails_is_found(monkeypatch, capsys) -> None:
    def fail(arguments: list[str]) -> int:
        Path('out.json').write_text('{}')
        print('stdpose convert: something is wrong')
        return 2

    monkeypatch.setattr(cases, '_call', lambda arguments: (fail(arguments), 'stdpose: wrong'))
    with pytest.raises(BrokenPromiseError) as caught:
        run_command_line('any', ['convert', 'labels.json', 'out.json'])
    assert caught.value.kind == 'half done'


def test_a_finding_is_made_small(monkeypatch, tmp_path: Path) -> None:
    """Of a whole file the one field that breaks the reader is left."""

    def reads(seed: str, sample: cases.Sample | None = None) -> str:
        files = cases.library_sample(Random(seed)).files if sample is None else sample.files
        if any(b'"keypoints"' in data for data in files.values() if isinstance(data, bytes)):
            raise KeyError('keypoints')
        return 'read'

    monkeypatch.setattr('fuzzing.smallest.run_library', reads)
    seed = next(
        f'{number}'
        for number in range(100)
        if cases.library_sample(Random(f'{number}')).name == 'coco'
    )
    small = smallest_sample(seed, lambda run: _raises(run, Case('library', seed)))

    (data,) = small.files.values()
    assert b'"keypoints"' in data
    assert len(data) < 100


def _raises(run, case: Case) -> bool:
    try:
        run(case)
    except KeyError:
        return True
    return False


def test_findings_are_written_with_their_seeds(tmp_path: Path, monkeypatch) -> None:
    finding = runner.Finding(Case('evaluations', '4:7'), 'bounds', 'bounds', 'ap [120.]')
    runner.write_finding(finding, tmp_path / 'found', limit=1)

    written = json.loads((tmp_path / 'found' / 'finding.json').read_text())
    assert written['case'] == {'kind': 'evaluations', 'seed': '4:7'}
    assert written['text'] == 'ap [120.]'
