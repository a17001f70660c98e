"""The demo's schedule of another length, and its plot of a training run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.tools import load_tool

demo = load_tool('run_demo', 'demo')

RECORDS = [
    {'lr': 0.1, 'loss': 2.0, 'loss_kpt': 1.5, 'step': 50, 'epoch': 1, 'time': 0.1},
    {'lr': 0.05, 'loss': 1.0, 'loss_kpt': 0.5, 'step': 100, 'epoch': 1, 'time': 0.1},
    {'posetrack/AP': 70.0, 'posetrack/AP_all': 80.0, 'data_time': 0.1, 'time': 0.1, 'step': 1},
]


def plotted(folder: Path, records: list[dict]) -> list[dict[str, tuple[list, list]]]:
    """Panels of the plot: name of a curve -> its steps and values."""
    path = folder / 'scalars.json'
    path.write_text('\n'.join(map(json.dumps, records)))
    return [
        {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axis.lines}
        for axis in demo.training_curves(path).axes
    ]


def test_training_curves_show_losses_learning_rate_and_metrics(tmp_path):
    assert plotted(tmp_path, RECORDS) == [
        {'loss': ([50, 100], [2.0, 1.0]), 'loss_kpt': ([50, 100], [1.5, 0.5])},
        {'lr': ([50, 100], [0.1, 0.05])},
        {'posetrack/AP': ([1], [70.0])},
    ]


def test_training_curves_without_a_validation_have_no_panel_for_it(tmp_path):
    assert len(plotted(tmp_path, RECORDS[:2])) == 2


@pytest.mark.parametrize(('iterations', 'warm_up'), [(3, 1), (50, 25), (7200, 60)])
def test_a_demo_of_another_length_warms_up_for_at_most_half_of_it(tmp_path, iterations, warm_up):
    config = demo.demo_config(demo.DemoOptions(iterations=iterations), tmp_path, tmp_path)
    rise, decay = config.param_scheduler
    assert config.train_cfg.max_iters == config.train_cfg.val_interval == iterations
    assert (rise.begin, rise.end, decay.begin, decay.end) == (0, warm_up, warm_up, iterations)
    assert decay.T_max == iterations - warm_up
