"""Every config of research and every entry of a study trains and is tested on data of its form."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
from mmengine.config import Config

from research.study.study import Study, StudyEntry, StudyTest, read_study
from research.study.study_runs import require_equal_budgets
from support.classes import arguments_of
from support.paths import ROOT
from support.short_training import measure, train_once
from support.small_configs import NAMES, read

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('in_real_layouts')]

FOLDER = ROOT / 'research' / 'configs'
STUDIES = {path.stem: read_study(path) for path in sorted(FOLDER.glob('studies/*.py'))}
OTHERS = [
    '../' + path.relative_to(ROOT).as_posix()
    for path in sorted(FOLDER.rglob('*.py'))
    if not {'studies', '_base_'} & {*path.parts}
]


def data_of(cfg: Config) -> str:
    """What a config says of its data."""
    names = ('train_dataloader', 'test_dataloader', 'test_evaluator')
    return repr([cfg[name].to_dict() for name in names])


def read_once(entry: StudyEntry) -> Config:
    """The config of an entry without its options."""
    return read(f'../{entry.config}')


def entry_config(study: Study, entry: StudyEntry, test: StudyTest | None = None) -> Config:
    """What ``read_entry_config`` gives, with every file read once for all entries."""
    cfg = read_once(entry).copy()
    options = {**study.cfg_options, **entry.cfg_options, **(test.cfg_options if test else {})}
    cfg.merge_from_dict(options)
    return cfg


def entry_configs() -> Iterator[tuple[str, Config]]:
    """The configs of entries and tests whose data no config has, nor an entry before them."""
    seen = {data_of(read(name)) for name in (*NAMES, *OTHERS)}
    for study in STUDIES.values():
        for entry in study.trained:
            for test in study.tests_of(entry) or [None]:
                cfg = entry_config(study, entry, test)
                if data_of(cfg) not in seen:
                    seen.add(data_of(cfg))
                    yield f'{study.name}-{entry.name}' + (f'-{test.name}' if test else ''), cfg


ENTRIES = dict(entry_configs())


@pytest.mark.parametrize('name', OTHERS)
def test_config_trains_and_is_tested(name: str) -> None:
    cfg = read(name).copy()
    assert measure(cfg, train_once(cfg))


@pytest.mark.parametrize('study', STUDIES.values(), ids=list(STUDIES))
def test_a_study_that_changes_batches_states_what_the_learning_rate_is_for(study: Study) -> None:
    for entry in study.trained:
        options = {**study.cfg_options, **entry.cfg_options}
        assert options.get('auto_scale_lr.base_batch_size') == options.get(
            'train_dataloader.batch_size'
        )


@pytest.mark.parametrize('name', ENTRIES)
def test_entry_of_a_study_trains_and_is_tested(name: str) -> None:
    assert measure(ENTRIES[name], train_once(ENTRIES[name]))


@pytest.mark.parametrize('study', STUDIES.values(), ids=list(STUDIES))
def test_options_of_a_study_are_entries_of_its_configs(study: Study) -> None:
    for entry in study.trained:
        cfg = read_once(entry)
        for test in study.tests_of(entry) or study.tests:
            for key in {**study.cfg_options, **entry.cfg_options, **test.cfg_options}:
                *parents, last = key.split('.')
                parent = reduce(member, parents, cfg)
                known = last in parent or last in arguments_of(parent['type'])
                assert known, f'{entry.config} has no {key}'


@pytest.mark.parametrize('study', STUDIES.values(), ids=list(STUDIES))
def test_metrics_of_a_study_are_those_of_its_configs(study: Study) -> None:
    prefixes = {'PoseTrackMetric': 'posetrack', 'VideoPCKMetric': 'video'}
    for entry in study.tested:
        cfg = entry_config(study, entry)
        prefix = prefixes[cfg.test_evaluator.type]
        assert {metric.split('/')[0] for metric in study.metrics or ()} == {prefix}
    intervals = {entry_config(study, e).test_evaluator.given_interval for e in study.tested}
    assert intervals != {None} or f'{prefix}/AP_all' not in (study.metrics or ())


PER_FRAME = [
    (study, entry)
    for name, study in STUDIES.items()
    if name.startswith(('table1', 'table4_components'))
    for entry in study.tested
    if entry_config(study, entry).model.neck is None
]


@pytest.mark.parametrize(
    ('study', 'entry'), PER_FRAME, ids=[f'{study.name}-{entry.name}' for study, entry in PER_FRAME]
)
def test_a_row_without_labels_is_trained_and_tested_on_all_frames(
    study: Study, entry: StudyEntry
) -> None:
    """No frame is given, so none counts as right without a prediction."""
    cfg = entry_config(study, entry)
    tasks = {cfg[f'{name}_dataloader'].dataset.task for name in ('train', 'val', 'test')}
    assert tasks == {'estimation'}
    assert cfg.test_evaluator.given_interval is None
    assert cfg.test_evaluator.boxes == cfg.test_dataloader.dataset.boxes == 'gt'


STUDIES_OF_STEPS = {name: study for name, study in STUDIES.items() if study.budget == 'steps'}


@pytest.mark.parametrize('study', STUDIES_OF_STEPS.values(), ids=list(STUDIES_OF_STEPS))
def test_equal_budgets_where_the_study_says_steps(study: Study) -> None:
    require_equal_budgets({e.name: entry_config(study, e) for e in study.tested})


def member(cfg: Any, key: str) -> Any:
    """An entry of a config by its name or, in a list, its position."""
    return cfg[int(key)] if isinstance(cfg, list | tuple) else cfg[key]
