"""Every config of research and every entry of a study trains and is tested on data of its form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
from mmengine.config import Config

from support.classes import arguments_of
from support.paths import ROOT
from support.short_training import measure, train_once
from support.small_configs import NAMES, read

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('in_real_layouts')]

FOLDER = ROOT / 'research' / 'configs'
STUDIES = {
    path.stem: read(f'../research/configs/studies/{path.name}')
    for path in sorted(FOLDER.glob('studies/*.py'))
}
OTHERS = [
    '../' + path.relative_to(ROOT).as_posix()
    for path in sorted(FOLDER.rglob('*.py'))
    if not {'studies', '_base_'} & {*path.parts}
]


def data_of(cfg: Config) -> str:
    """What a config says of its data."""
    names = ('train_dataloader', 'test_dataloader', 'test_evaluator')
    return repr([cfg[name].to_dict() for name in names])


def options_of(entry: Any, test: Any = None) -> dict[str, Any]:
    """The options of an entry, and of a test of it."""
    return {**entry.get('cfg_options', {}), **((test or {}).get('cfg_options', {}))}


def entry_config(entry: Any, test: Any = None) -> Config:
    """The config of an entry, with every file read once for all entries."""
    cfg = read(f'../{entry.config}').copy()
    cfg.merge_from_dict(options_of(entry, test))
    return cfg


def entry_configs() -> Iterator[tuple[str, Config]]:
    """The configs of entries and tests whose data no config has, nor an entry before them."""
    seen = {data_of(read(name)) for name in (*NAMES, *OTHERS)}
    for name, study in STUDIES.items():
        for entry in study.entries:
            for test in study.get('tests', [None]):
                cfg = entry_config(entry, test)
                if data_of(cfg) not in seen:
                    seen.add(data_of(cfg))
                    yield f'{name}-{entry.name}' + (f'-{test.name}' if test else ''), cfg


ENTRIES = dict(entry_configs())


@pytest.mark.parametrize('name', OTHERS)
def test_config_trains_and_is_tested(name):
    cfg = read(name).copy()
    assert measure(cfg, train_once(cfg))


@pytest.mark.parametrize('name', ENTRIES)
def test_entry_of_a_study_trains_and_is_tested(name):
    assert measure(ENTRIES[name], train_once(ENTRIES[name]))


@pytest.mark.parametrize('study', STUDIES.values(), ids=list(STUDIES))
def test_options_of_a_study_are_entries_of_its_configs(study):
    for entry in study.entries:
        cfg = read(f'../{entry.config}')
        for test in study.get('tests', [None]):
            for key in options_of(entry, test):
                *parents, last = key.split('.')
                parent = reduce(member, parents, cfg)
                known = last in parent or last in arguments_of(parent['type'])
                assert known, f'{entry.config} has no {key}'


@pytest.mark.parametrize('study', STUDIES.values(), ids=list(STUDIES))
def test_entries_of_a_study_take_equally_many_steps_of_equally_many_samples(study):
    configs = [entry_config(entry) for entry in study.entries]
    lengths = {(c.train_cfg.get('max_iters'), c.train_cfg.get('max_epochs')) for c in configs}
    assert len(lengths) == len({c.train_dataloader.batch_size for c in configs}) == 1


@pytest.mark.parametrize('name', [n for n in STUDIES if re.match('table(1|4_components)', n)])
def test_a_row_without_labels_is_trained_and_tested_on_all_frames(name):
    """No frame is given, so none counts as right without a prediction."""
    configs = [entry_config(entry) for entry in STUDIES[name].entries]
    per_frame = [cfg for cfg in configs if cfg.model.neck is None]
    assert per_frame
    for cfg in per_frame:
        loaders = [cfg[f'{name}_dataloader'] for name in ('train', 'val', 'test')]
        tasks = {loader.dataset.task for loader in loaders if loader}
        assert tasks == {'estimation'}
        assert cfg.test_evaluator.given_interval is None
        assert cfg.test_evaluator.boxes == cfg.test_dataloader.dataset.boxes == 'gt'


def member(cfg: Any, key: str) -> Any:
    """An entry of a config by its name or, in a list, its position."""
    return cfg[int(key)] if isinstance(cfg, list | tuple) else cfg[key]
