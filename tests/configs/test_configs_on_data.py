"""Every config and every entry of a study trains and is tested on data laid out as its real set."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpose.registry import MODELS

import stdpose_mm  # noqa: F401 - registers what the configs name
from stdpose_mm.benchmarks.study.study import (
    Study,
    StudyEntry,
    StudyTest,
    read_study,
)
from support.classes import arguments_of
from support.paths import CONFIGS
from support.real_layouts import write_real_layouts
from support.small_configs import NAMES, read, small_model_cfg

pytestmark = pytest.mark.slow

WINDOWS = 4
"""Windows of a test."""

STUDIES = {path.stem: read_study(path) for path in sorted((CONFIGS / 'studies').glob('*.py'))}


def data_of(cfg: Config) -> str:
    """What a config says of its data."""
    names = ('train_dataloader', 'test_dataloader', 'test_evaluator')
    return repr([cfg[name].to_dict() for name in names])


def read_once(entry: StudyEntry) -> Config:
    """The config of an entry without its options."""
    return read(Path(str(entry.config)).relative_to('configs').as_posix())


def entry_config(study: Study, entry: StudyEntry, test: StudyTest | None = None) -> Config:
    """What ``read_entry_config`` gives, with every file read once for all entries."""
    cfg = read_once(entry).copy()
    options = {**study.cfg_options, **entry.cfg_options, **(test.cfg_options if test else {})}
    cfg.merge_from_dict(options)
    return cfg


def entry_configs() -> Iterator[tuple[str, Config]]:
    """The configs of entries and tests whose data no config has, nor an entry before them."""
    seen = {data_of(read(name)) for name in NAMES}
    for study in STUDIES.values():
        for entry in study.trained:
            for test in study.tests_of(entry) or [None]:
                cfg = entry_config(study, entry, test)
                if data_of(cfg) not in seen:
                    seen.add(data_of(cfg))
                    yield f'{study.name}-{entry.name}' + (f'-{test.name}' if test else ''), cfg


ENTRIES = dict(entry_configs())


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('layouts')
    write_real_layouts(root)
    return root


@pytest.fixture(autouse=True)
def in_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    init_default_scope('mmpose')


def loader_of(cfg: Config, kind: str, batch_size: int) -> Any:
    """The loader of a config, in this process."""
    settings = cfg[f'{kind}_dataloader'].to_dict()
    settings |= dict(batch_size=batch_size, num_workers=0, persistent_workers=False)
    settings['dataset']['indices'] = WINDOWS
    return Runner.build_dataloader(settings, seed=0)


def train_and_test(cfg: Config) -> dict[str, float]:
    """Do a step of training and a test of few windows with a small model; returns the metrics."""
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(small_model_cfg(cfg)).train()
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    losses = model.train_step(next(iter(loader_of(cfg, 'train', 2))), optim_wrapper)
    assert all(torch.isfinite(torch.as_tensor(value)).all() for value in losses.values())

    model.eval()
    loader = loader_of(cfg, 'test', 32)
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = loader.dataset.metainfo
    with torch.no_grad():
        for batch in loader:
            evaluator.process(data_samples=model.test_step(batch), data_batch=batch)
    return evaluator.evaluate(len(loader.dataset))


@pytest.mark.parametrize('name', NAMES)
def test_config_trains_and_is_tested(name: str) -> None:
    metrics = train_and_test(read(name).copy())
    assert metrics
    validated = read(name).default_hooks.checkpoint.get('save_best')
    assert validated is None or validated in metrics


@pytest.mark.parametrize('name', ENTRIES)
def test_entry_of_a_study_trains_and_is_tested(name: str) -> None:
    assert train_and_test(ENTRIES[name])


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
        has_given = cfg.test_evaluator.given_interval is not None
        assert has_given or f'{prefix}/AP_all' not in (study.metrics or ())


STUDIES_OF_STEPS = {name: study for name, study in STUDIES.items() if study.budget == 'steps'}


@pytest.mark.parametrize('study', STUDIES_OF_STEPS.values(), ids=list(STUDIES_OF_STEPS))
def test_equal_budgets_where_the_study_says_steps(study: Study) -> None:
    from stdpose_mm.benchmarks.study.study_runs import require_equal_budgets

    require_equal_budgets({e.name: entry_config(study, e) for e in study.tested})


def member(cfg: Any, key: str) -> Any:
    """An entry of a config by its name or, in a list, its position."""
    return cfg[int(key)] if isinstance(cfg, list | tuple) else cfg[key]
