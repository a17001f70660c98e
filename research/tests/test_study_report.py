"""What the tables, the JSON fields and the plot of a study say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from research.study import study_report as report_module
from research.study.study import Study, StudyEntry, StudyTest
from research.study.study_report import (
    choose_metrics,
    plot_study,
    spread,
    study_fields,
    study_report,
)
from research.study.study_runs import EntryResult, RunResult, Training
from stdpose_mm.errors import InputError


def run_result(
    metrics: dict[str, dict[str, float | None]],
    before: dict[str, float | None] | None = None,
    after: dict[str, float | None] | None = None,
    seconds: float | None = 30.0,
    memory: float | None = None,
) -> RunResult:
    training = Training('iter_60.pth', 60, seconds, memory, before or {}, after or {})
    return RunResult(training, metrics)


def result(name: str, values: list[float | None], published=None, **training) -> EntryResult:
    runs = {
        seed: run_result({'': {'toy/AP': value}}, **training) for seed, value in enumerate(values)
    }
    entry = StudyEntry(name, f'{name}.py', published=published)
    return EntryResult(entry, [StudyTest()], 1234567, runs)


def sweep(name: str, values: dict[float, float], **entry) -> EntryResult:
    """One checkpoint tested at several places."""
    tests = [StudyTest(f'T = {x:g}', {}, x) for x in values]
    metrics = {test.name: {'toy/AP': values[test.x or 0]} for test in tests}
    return EntryResult(StudyEntry(name, 'c.py', **entry), tests, 1, {0: run_result(metrics)})


def study(results: list[EntryResult], **fields) -> Study:
    entries = [one.entry for one in results]
    return Study('toy', 'Toys', entries, results[0].tests, seeds=(0, 1, 2), **fields)


def report_of(results: list[EntryResult], **fields) -> str:
    return study_report(study(results, **fields), results)


def fields_of(results: list[EntryResult], **fields) -> dict:
    return study_fields(study(results, **fields), results)['entries']


def rows(report: str, heading: str = '') -> dict[str, list[str]]:
    """First cell -> other cells, of the table under a heading, or the first one."""
    text = report.split(f'## {heading}\n')[1] if heading else report
    lines = [line for line in text.split('\n##')[0].splitlines() if line[:1] == '|']
    return {first: others for first, *others in (line.strip('| ').split(' | ') for line in lines)}


def test_spread_is_that_of_a_sample() -> None:
    value = spread([10.0, 12.0, 17.0])
    assert value is not None
    assert (value.mean, value.low, value.high, value.number) == (13, 10, 17, 3)
    # Deviations -3, -1 and 4; divided by n - 1.
    assert value.std == pytest.approx(13**0.5)


def test_an_entry_without_labels_has_its_one_value_in_the_column_of_all_frames() -> None:
    labels = {'toy/AP': 40.0, 'toy/AP_all': 60.0}
    entries = [
        EntryResult(StudyEntry(name, 'c.py'), [StudyTest()], 1, {0: run_result({'': metrics})})
        for name, metrics in (('labels', labels), ('none', {'toy/AP': 30.0}))
    ]
    report = report_of(entries, metrics=['toy/AP_all', 'toy/AP'], reference='none')
    assert rows(report)['none'] == ['30.00', '30.00']
    assert rows(report, 'Difference to none')['labels'] == ['+30.00', '+10.00']


def test_a_single_value_has_no_spread_and_none_no_mean() -> None:
    value = spread([None, 4.0])
    assert value is not None
    assert (value.mean, value.std, value.number) == (4, None, 1)
    assert spread([None]) is None


def test_table_of_means_spreads_and_ranges() -> None:
    report = report_of([result('a', [10, 12, 17]), result('b', [50, None, 52])])
    assert report.startswith('# Toys\n')
    assert rows(report)['entry'] == ['toy/AP']
    assert rows(report)['a'] == ['13.00 ± 3.61 [10.00, 17.00]']
    assert rows(report)['b'] == ['51.00 ± 1.41 [50.00, 52.00]']
    assert 'Seeds: 0, 1, 2.' in report
    assert 'Difference' not in report
    assert 'held-out' not in report


def test_published_values_stand_beside_ours() -> None:
    others = EntryResult(StudyEntry('other', published=90.0), [StudyTest()], None, {})
    report = report_of([others, result('a', [10, 12, 17], published=91.5), result('b', [1, 1, 1])])
    assert rows(report)['entry'] == ['toy/AP', 'AP, published']
    assert rows(report)['other'] == ['-', '90']
    assert rows(report)['a'][1] == '91.5'
    assert rows(report)['b'][1] == '-'
    assert 'other' not in rows(report, 'Cost')


def test_every_test_has_a_row_and_its_own_published_value() -> None:
    report = report_of([sweep('a', {7: 80.0, 3: 90.0}, published={'T = 3': 95.0})])
    table = [line.strip('| ').split(' | ') for line in report.splitlines() if line[:3] == '| a']
    assert table[:2] == [['a', 'T = 7', '80.00', '-'], ['a', 'T = 3', '90.00', '95']]


def test_cost_is_steps_time_and_parameters() -> None:
    report = report_of([result('a', [1, 2, 3])])
    assert rows(report, 'Cost')['entry'] == ['parameters', 'steps', 's per step', 's']
    assert rows(report, 'Cost')['a'] == ['1,234,567', '60', '0.5 ± 0', '30 ± 0']


def test_memory_is_shown_where_it_was_measured() -> None:
    report = report_of([result('a', [1, 2], memory=812.0)])
    assert rows(report, 'Cost')['entry'][-1] == 'GPU memory, MB'
    assert rows(report, 'Cost')['a'][-1] == '812 ± 0'


def test_differences_are_between_runs_of_one_seed() -> None:
    results = [result('a', [10, 12, 17]), result('b', [11, 15, 16])]
    report = report_of(results, reference='a')
    # +1, +3 and -1: the spread of the pairs, not that of the means.
    table = rows(report, 'Difference to a')
    assert table['b'] == ['+1.00 ± 2.00 [-1.00, +3.00]']
    assert 'a' not in table
    fields = fields_of(results, reference='a')
    assert 'differences' not in fields['a']['tests']['']
    assert fields['b']['tests']['']['differences']['toy/AP'] == {
        'mean': 1, 'std': 2, 'low': -1, 'high': 3, 'number': 3,
    }  # fmt: skip


def test_a_reference_that_was_run_alone_is_compared_with_nothing() -> None:
    report = report_of([result('a', [10, 12])], reference='a')
    assert 'ifference' not in report


def test_differences_are_between_the_same_tests() -> None:
    results = [sweep('a', {7: 80.0, 3: 90.0}), sweep('b', {7: 81.0, 3: 88.0})]
    tests = fields_of(results, reference='a')['b']['tests']
    changes = {name: test['differences']['toy/AP']['mean'] for name, test in tests.items()}
    assert changes == {'T = 7': 1, 'T = 3': -2}


def test_a_pair_with_an_undefined_figure_does_not_count() -> None:
    results = [result('a', [10, None, 17]), result('b', [11, 15, None])]
    fields = fields_of(results, reference='a')
    assert fields['b']['tests']['']['differences']['toy/AP']['number'] == 1


def test_rows_are_in_the_order_given() -> None:
    results = [result(name, [1, 2]) for name in ('z', 'a', 'm')]
    assert [name for name in rows(report_of(results)) if len(name) == 1] == [*'zam']


def test_held_out_losses_stand_beside_their_start() -> None:
    results = [
        result('a', [1, 2], before={'loss_kpt': 40.0}, after={'loss_kpt': 10.0}),
        result('b', [1, 2]),
    ]
    table = rows(report_of(results), 'Losses on held-out data, before and after training')
    assert table['entry'] == ['loss_kpt']
    assert table['a'] == ['40 ± 0 → 10 ± 0']
    assert table['b'] == ['-']
    fields = fields_of(results)['a']
    assert fields['losses_before']['loss_kpt']['mean'] == 40
    assert fields['losses_after']['loss_kpt']['mean'] == 10


def test_everything_measured_is_in_the_fields() -> None:
    one = result('a', [10, 12, 17], published=9.0, before={'loss': 4.0}, after={'loss': 1.0})
    fields = fields_of([one])['a']
    run = fields['runs']['1']
    assert run['metrics'] == {'': {'toy/AP': 12}}
    assert (run['steps'], run['seconds'], run['seconds_per_step']) == (60, 30, 0.5)
    assert (run['losses_before'], run['losses_after']) == ({'loss': 4.0}, {'loss': 1.0})
    assert (fields['parameters'], fields['tests']['']['published']) == (1234567, 9.0)
    json.dumps(fields, allow_nan=False)


def test_default_metrics_are_those_people_quote() -> None:
    metrics = {'': {'posetrack/AP': 1.0, 'posetrack/Head AP': 2.0, 'posetrack/PCK@0.1': 3.0}}
    one = EntryResult(StudyEntry('a', 'a.py'), [StudyTest()], 1, {0: run_result(metrics)})
    assert choose_metrics([one]) == ['posetrack/AP', 'posetrack/PCK@0.1']
    assert choose_metrics([one], ['posetrack/Head AP']) == ['posetrack/Head AP']
    with pytest.raises(InputError, match=r'no run has the metric AP, choose from posetrack/AP, '):
        choose_metrics([one], ['AP'])


def test_of_other_metrics_all_are_shown() -> None:
    metrics = {'': {'toy/x': 1.0, 'toy/y': 2.0}}
    one = EntryResult(StudyEntry('a', 'a.py'), [StudyTest()], 1, {0: run_result(metrics)})
    assert choose_metrics([one]) == ['toy/x', 'toy/y']


# Plots


def test_a_sweep_is_a_curve_with_the_published_one_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(report_module, 'curves', lambda *arguments: drawn.append(arguments))
    monkeypatch.setattr(report_module, 'save_figure', lambda *_: None)
    results = [sweep('a', {7: 80.0, 3: 90.0}, published={'T = 3': 95.0})]
    plot_study(tmp_path / 'plot.png', study(results, x_label='T'), results)
    panels, label = drawn[0]
    assert label == 'T'
    assert panels == {
        'toy/AP': {
            'a': [(3, 90.0, (90.0, 90.0)), (7, 80.0, (80.0, 80.0))],
            'a, published': [(3, 95.0, None)],
        }
    }


def test_entries_of_one_series_make_a_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(report_module, 'curves', lambda *arguments: drawn.append(arguments))
    monkeypatch.setattr(report_module, 'save_figure', lambda *_: None)
    results = []
    for x, value in ((2, 70.0), (1, 60.0)):
        entry = StudyEntry(f'k = {x}', 'c.py', x=x, series='theta = 0')
        runs = {0: run_result({'': {'toy/AP': value}})}
        results.append(EntryResult(entry, [StudyTest()], 1, runs))
    plot_study(tmp_path / 'plot.png', study(results), results)
    assert drawn[0][0] == {
        'toy/AP': {'theta = 0': [(1, 60.0, (60.0, 60.0)), (2, 70.0, (70.0, 70.0))]}
    }


def test_without_a_sweep_there_are_dots(tmp_path: Path) -> None:
    others = EntryResult(StudyEntry('other', published=90.0), [StudyTest()], None, {})
    results = [others, result('a', [10, 12, 17]), result('b', [11, 15, 16])]
    plot_study(tmp_path / 'plot.png', study(results), results)
    assert (tmp_path / 'plot.png').read_bytes()[:4] == b'\x89PNG'
