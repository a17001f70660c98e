"""``tools/train.py`` and ``tools/test.py`` on a toy model."""

from __future__ import annotations

import errno
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend, load

from stdpose_mm.cli.test import main as run_test
from stdpose_mm.cli.train import main as run_train
from stdpose_mm.engine.hooks import WindowVisualizationHook
from support.malicious_files import MALICIOUS
from support.paths import CONFIGS
from support.toy_command import CONFIG, TOY_PARTS

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A toy config; the work folder is by default beside it."""
    (tmp_path / 'command_toy_parts.py').write_text(TOY_PARTS)
    (tmp_path / 'toy.py').write_text(CONFIG)
    monkeypatch.syspath_prepend(str(tmp_path))
    # Each test's own: what its model has seen is kept in the class.
    monkeypatch.delitem(sys.modules, 'command_toy_parts', raising=False)
    monkeypatch.chdir(tmp_path)
    return 'toy.py'


@pytest.fixture
def final_config(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Run ``train.py`` up to the runner; gives the config the runner would get."""

    def run(*arguments: str) -> Config:
        got: list[Config] = []
        runner = type('Runner', (), {'train': lambda self: None})
        monkeypatch.setattr(
            'stdpose_mm.engine.runner.CheckedRunner.from_cfg',
            lambda cfg: got.append(cfg) or runner(),
        )
        assert run_train(list(arguments)) == 0
        return got[0]

    return run


def error_line(code: int, capsys: pytest.CaptureFixture[str]) -> str:
    """Check that a command failed as a user error does; gives its one line."""
    assert code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_train_then_test(config, tmp_path):
    assert run_train([config, '--work-dir', 'run', '--seed', '1']) == 0
    checkpoint = tmp_path / 'run' / 'epoch_2.pth'
    assert checkpoint.is_file()
    code = run_test([config, str(checkpoint), '--out', 'out/metrics.json', '--dump', 'out/p.pkl'])
    assert code == 0
    metrics = json.loads((tmp_path / 'out' / 'metrics.json').read_text())
    assert metrics == {'toy/count': 4.0, 'toy/undefined': None}
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['metrics.json', 'p.pkl']


@pytest.mark.parametrize(
    ('split', 'outer'),
    [
        ('train', '{}'),
        ('val', "dict(type='RepeatDataset', times=2, dataset={})"),
        ('test', "dict(type='ConcatDataset', datasets=[dict(type='CommandToyDataset'), {}])"),
        ('train', "dict(type='CombinedDataset', metainfo={{}}, datasets=[{}])"),
    ],
)
def test_missing_labels_are_one_line(config, split, outer, tmp_path, capsys):
    dataset = outer.format(f"dict(type='PoseTrack17WindowDataset', ann_file='{split}')")
    missing = f"{{**data, 'dataset': {dataset}}}"
    (tmp_path / 'toy.py').write_text(f'{CONFIG}{split}_dataloader = {missing}\n')
    torch.save({}, tmp_path / 'weights.pth')
    code = run_test([config, 'weights.pth']) if split == 'test' else run_train([config])
    line = error_line(code, capsys)
    assert f'the labels {split} of PoseTrack17WindowDataset do not exist' in line


@pytest.mark.parametrize('split', ['val', 'test'])
def test_labels_that_a_metric_cannot_use_are_found_before_the_model_runs(
    config, split, tmp_path, capsys
):
    hand = {'id': 1, 'name': 'hand', 'keypoints': [f'joint{n}' for n in range(21)]}
    image = {'id': 1, 'file_name': 'hands/0.jpg'}
    labels = {'images': [image], 'annotations': [], 'categories': [hand]}
    (tmp_path / 'hands.json').write_text(json.dumps(labels))
    metric = {'type': 'PoseTrackMetric', 'ann_file': 'hands.json'}
    (tmp_path / 'toy.py').write_text(f'{CONFIG}{split}_evaluator = {metric}\n')
    weights = {'layer.weight': torch.zeros(1, 2), 'layer.bias': torch.zeros(1)}
    torch.save({'state_dict': weights}, 'weights.pth')
    code = run_test([config, 'weights.pth']) if split == 'test' else run_train([config])
    assert "lack 'nose', which the evaluation needs" in error_line(code, capsys)
    assert not sys.modules['command_toy_parts'].CommandToyModel.dtypes


def test_runs_of_one_process_log_to_their_own_folders(config, tmp_path):
    visualizer = "dict(type='Visualizer', name='v', vis_backends=[dict(type='LocalVisBackend')])"
    (tmp_path / config).write_text(f'{CONFIG}visualizer = {visualizer}\n')
    for name in ('first', 'second'):
        assert run_train([config, '--work-dir', name, '--no-validate']) == 0
        assert [*(tmp_path / name).glob('*/vis_data/scalars.json')]


@pytest.mark.parametrize('resumes', [True, False])
def test_what_is_said_about_the_learning_rate_is_what_happens(config, tmp_path, capsys, resumes):
    """The rate is 0.01 for batches of 8, here of 2; a checkpoint brings the rate it was made at."""
    logger = ['default_hooks.logger.type=LoggerHook', 'default_hooks.logger.interval=1']
    options = ['--cfg-options', 'log_level=INFO', *logger]
    if resumes:
        short = [*options, 'train_cfg.max_epochs=1']
        assert run_train([config, '--work-dir', 'run', *short]) == 0
    capsys.readouterr()
    again = ['--work-dir', 'run', '--resume', '--auto-scale-lr']
    assert run_train([config, *again, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    remarks = [line for line in lines if 'the learning rate is not scaled' in line]
    assert len(remarks) == resumes
    assert any('Scaling the original LR by 0.25' in line for line in lines) != resumes
    (last, *_) = sorted(tmp_path.glob('run/*/vis_data/scalars.json'), reverse=True)
    rates = {json.loads(line).get('lr') for line in last.read_text().splitlines()} - {None}
    assert rates == {0.01 if resumes else 0.0025}


def test_lists_are_in_the_log_file_only(config, tmp_path, capsys):
    parts = ("type='CommandToyModel'", 'before_train_iter:', 'sys.platform', 'layer.bias')
    decay = [
        'log_level=INFO',
        'optim_wrapper.optimizer.weight_decay=0.1',
        'optim_wrapper.paramwise_cfg.bias_decay_mult=0.0',
    ]
    assert run_train([config, '--work-dir', 'run', '--cfg-options', *decay]) == 0
    printed = capsys.readouterr().out
    (file,) = tmp_path.glob('run/*/*.log')
    log = file.read_text()
    assert [part in log for part in parts] == [True] * 4
    assert [part in printed for part in parts] == [False] * 4
    assert str(file) in printed
    assert 'Saving checkpoint at 2 epochs' in printed
    assert 'Saving checkpoint at 2 epochs' in log


def test_resume_from_a_given_checkpoint(config, tmp_path, final_config):
    torch.save({}, tmp_path / 'iter_5.pth')
    cfg = final_config(config, '--resume', 'iter_5.pth')
    assert (cfg.resume, cfg.load_from) == (True, 'iter_5.pth')


def test_options_reach_the_config(config, final_config):
    options = ['--seed', '5', '--auto-scale-lr', '--no-validate', '--launcher', 'none']
    cfg = final_config(config, *options, '--cfg-options', 'optim_wrapper.optimizer.lr=0.5')
    assert cfg.randomness.seed == 5
    assert cfg.auto_scale_lr.enable is True
    assert (cfg.val_cfg, cfg.val_dataloader, cfg.val_evaluator) == (None, None, None)
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.work_dir == str(Path('work_dirs') / 'toy')


@pytest.mark.parametrize(
    ('options', 'share'), [([], 0.1), (['--no-validate'], 0.0)], ids=['validation', 'no validation']
)
def test_without_validation_no_training_video_is_held_out(options, share, final_config):
    cfg = final_config(str(CONFIGS / 'stdpose_tiny_synthetic.py'), *options)
    assert cfg.train_dataloader.dataset.held_out_share == share


@pytest.mark.parametrize(
    'name', ['stdpose-estimation', 'stdpose_mm::stdpose_base_estimation_posetrack17.py']
)
def test_a_config_by_its_name(config, name, tmp_path, final_config):
    cfg = final_config(name)
    assert cfg.model.type == 'STDPose'
    assert Path(cfg.work_dir) == Path('work_dirs', 'stdpose_base_estimation_posetrack17')


@pytest.mark.parametrize('kind', ['OptimWrapper', 'AmpOptimWrapper'])
def test_amp_without_a_gpu_trains_in_bfloat16(config, monkeypatch, kind):
    monkeypatch.setattr('stdpose_mm.engine.optim_wrappers.is_bfloat16_faster', lambda _: True)
    scale = ['optim_wrapper.loss_scale=dynamic'] * (kind == 'AmpOptimWrapper')
    assert run_train([config, '--amp', '--cfg-options', f'optim_wrapper.type={kind}', *scale]) == 0
    assert ('loss', torch.bfloat16) in sys.modules['command_toy_parts'].CommandToyModel.dtypes


def test_amp_scales_the_loss(config, final_config):
    wrapper = final_config(config, '--amp').optim_wrapper
    assert (wrapper.type, wrapper.loss_scale) == ('AmpOptimWrapper', 'dynamic')


WRONG_ARGUMENTS = (
    ('no.py', r'config no\.py does not exist'),
    ('configs/no.py', r'config configs/no\.py does not exist'),
    (
        'stdpose-estimaton',
        r'config stdpose-estimaton does not exist, did you mean stdpose-estimati',
    ),
    ('broken.py', r'broken\.py cannot be read \(ZeroDivisionError'),
    ('child.py', r'child\.py cannot be read \(TypeError'),
    (
        'parts.py',
        r"parts\.py cannot be read \(ModuleNotFoundError: .*'no_such_parts'\), .*PYTHONPATH",
    ),
    ('empty.py', r'empty\.py has no model'),
    ('toy.py --resume no.pth', r'checkpoint no\.pth does not exist'),
    ('toy.py --work-dir toy.py', '--work-dir toy.py is also given as CONFIG'),
    ('toy.py --amp --cfg-options optim_wrapper.type=OptimWrapperDict', r'--amp cannot be combined'),
)
WRONG_SETTINGS = (
    ('load_from=no.pth', r'checkpoint no\.pth does not exist'),
    ('load_from=page.pth', r'page\.pth is not a checkpoint'),
    ('load_from=3', r'checkpoint 3 does not exist'),
    ('model.type=Typo', r'toy\.py: .*Typo is not in the'),
    ('model.depth=1', r'unexpected keyword argument .depth.'),
    ('model.type.embed=1', r'--cfg-options model.type.embed=1 does not fit toy\.py'),
    ('train_dataloader.dataset.broken=file', r'labels\.json'),
    ('train_dataloader.dataset.broken=sample', r'frame 3'),
    ('train_dataloader.batch_size.x=1', r'does not fit toy\.py'),
    ('train_dataloader.batch_size=0', r'batch_size should be a positive'),
    ('train_dataloader.num_workers=-1', r'num_workers'),
    ('train_dataloader.persistent_workers=True', r'needs num_workers > 0'),
    ('max_epochs=3', r'nothing, .* train_cfg\.max_epochs'),
    ('train_cgf.x=3', r'nothing, .* train_cfg\.x'),
    ('colour=3', r'nothing, .* as model\.KEY, train_data'),
    ('optim_wrapper.optimizer.type=Adan9', r'toy\.py: .*, correct that entry'),
    ('optim_wrapper.optimizer.lr=-1', r'SGD: Invalid learning rate: -1'),
    ('optim_wrapper.accumulative_counts=0', r'OptimWrapper: _accumulative_counts'),
    ('train_cfg.max_epochs=0', r'max_epochs must be a whole number from 1, got 0'),
    ('train_cfg.val_interval=0', r'val_interval must be a whole number from 1'),
    ('train_cfg.max_iters=3', r'unexpected keyword argument'),
    ('env_cfg.cudnn_bench=True', r"nothing reads, write 'cudnn_benchmark'"),
    ('optim_wrapper.paramwise_cfg.layer_decay_rate=0.9', r'nothing reads, take it out'),
    ('optim_wrapper.clip_grad.maxnorm=1', r"nothing reads, write 'max_norm'"),
    (
        'default_hooks.checkpoint.type=CheckpointHook default_hooks.checkpoint.intervl=1',
        r"nothing reads, write 'interval'",
    ),
    (
        'default_hooks.checkpoint.save_best=other/AP',
        r"'other/AP', but the metrics of val_evaluator begin with toy/",
    ),
    ('val_evaluator=None', r'should be either all None or not None'),
    ('randomness.seeed=5', r'the runner: .*unexpected keyword argument .seeed.'),
    ('compile=yes', r'toy\.py: .*correct that entry'),
    ('compile.backend=nope', r"Invalid backend: 'nope'"),
    ('compile.foo=1', r"unexpected keyword argument 'foo'"),
)


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        *WRONG_ARGUMENTS,
        *((f'toy.py --cfg-options {setting}', line) for setting, line in WRONG_SETTINGS),
    ],
)
def test_train_reports_what_the_user_got_wrong(config, arguments, sentence, tmp_path, capsys):
    (tmp_path / 'page.pth').write_text('<html>not found</html>')
    (tmp_path / 'broken.py').write_text('x = 1 / 0')
    (tmp_path / 'parts.py').write_text("custom_imports = dict(imports=['no_such_parts'])")
    (tmp_path / 'child.py').write_text(
        f'_base_ = {config!r}\nmodel = dict(type=dict({", ".join(f"n{i}={i}" for i in range(30))}))'
    )
    (tmp_path / 'empty.py').write_text('x = 1')
    assert re.search(sentence, error_line(run_train(arguments.split()), capsys))


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ('no.pth --out metrics.json', 'checkpoint no.pth does not exist, expected a .pth file'),
        ('toy.pth --flip on', 'the model of toy.py has no test_cfg'),
        (
            'toy.pth --show-dir pictures',
            '--show-dir pictures holds files already, give a new or an empty folder',
        ),
    ],
)
def test_test_reports_what_the_user_got_wrong(config, arguments, sentence, capsys):
    torch.save({}, 'toy.pth')
    Path('pictures').mkdir()
    # Pictures are not mixed with those of another test.
    Path('pictures', '000001_0.jpg').touch()
    assert sentence in error_line(run_test([config, *arguments.split()]), capsys)
    assert not Path('metrics.json').exists()


@pytest.mark.parametrize(
    'weights', [{}, {'layer.weight': torch.zeros(1, 2)}, {'layer.weight': torch.zeros(7, 7)}]
)
def test_weights_of_another_model_are_not_tested(config, weights, capsys):
    torch.save({'state_dict': weights}, 'other.pth')
    code = run_test([config, 'other.pth', '--out', 'metrics.json'])
    assert 'other.pth cannot be loaded into the model' in error_line(code, capsys)
    assert not Path('metrics.json').exists()


@pytest.fixture
def stored(config: str) -> dict[str, Any]:
    """What a run of the toy config has stored after its first epoch."""
    short = ['--cfg-options', 'train_cfg.max_epochs=1']
    assert run_train([config, '--work-dir', 'stored', *short]) == 0
    return torch.load('stored/epoch_1.pth', weights_only=False)


@pytest.mark.parametrize(
    ('part', 'content'),
    [
        *((part, None) for part in ('state_dict', 'meta', 'message_hub', 'optimizer')),
        ('state_dict', {'layer.weight': torch.zeros(1, 2)}),
        ('state_dict', {'layer.weight': torch.zeros(7, 7), 'layer.bias': torch.zeros(1)}),
        ('state_dict', 3),
        ('optimizer', {'state': {}, 'param_groups': []}),
        ('message_hub', {'log_scalars': {}}),
    ],
)
def test_what_is_no_whole_run_or_one_of_something_else_is_not_resumed(
    config, stored, part, content, capsys
):
    """A part without content is left out."""
    del stored[part]
    torch.save(stored if content is None else {**stored, part: content}, 'wrong.pth')
    sentence = error_line(run_train([config, '--resume', 'wrong.pth']), capsys)
    assert 'wrong.pth cannot be resumed' in sentence


def whole_run() -> dict[str, Any]:
    """What a run of the toy config stores, in short."""
    weights = {'layer.weight': torch.zeros(1, 2), 'layer.bias': torch.zeros(1)}
    states = {'optimizer': {}, 'message_hub': {}, 'meta': {'epoch': 1, 'iter': 2}}
    return {'state_dict': weights, **states}


def write_truncated(path: Path) -> None:
    torch.save(whole_run(), path)
    path.write_bytes(path.read_bytes()[:-300])


def test_a_damaged_last_checkpoint_is_refused(config, tmp_path, capsys):
    (tmp_path / 'run').mkdir()
    write_truncated(tmp_path / 'run' / 'epoch_1.pth')
    (tmp_path / 'run' / 'last_checkpoint').write_text('run/epoch_1.pth')
    # In either way to say it.
    for resume in (['--resume'], ['--cfg-options', 'resume=True']):
        code = run_train([config, '--work-dir', 'run', *resume])
        assert 'run/epoch_1.pth cannot be read' in error_line(code, capsys)


@pytest.mark.parametrize('weights', [{}, {'head.weight': torch.zeros(1, 2)}])
def test_weights_that_fill_nothing_start_no_training(config, weights, capsys):
    torch.save({'state_dict': weights}, 'other.pth')
    code = run_train([config, '--cfg-options', 'load_from=other.pth'])
    assert 'other.pth fills none of the 2 weights of the model' in error_line(code, capsys)


def test_weights_that_init_cfg_names_run_no_code(config, tmp_path, capsys):
    marker = tmp_path / 'payload_was_here'
    MALICIOUS['meta'](tmp_path / 'bad.pth', marker)
    init_cfg = ['model.init_cfg.type=Pretrained', 'model.init_cfg.checkpoint=bad.pth']
    code = run_train([config, '--cfg-options', *init_cfg])
    assert 'bad.pth holds shutil.copyfile' in error_line(code, capsys)
    assert not marker.exists()


@pytest.mark.parametrize(
    ('flips', 'options', 'metrics'),
    [
        # Each counts the four samples, or none, that were predicted with mirrored crops.
        (True, [], {'toy/flipped': 4, 'no_flip/toy/flipped': 0}),
        (True, ['--flip', 'on'], {'toy/flipped': 4}),
        (True, ['--flip', 'off'], {'no_flip/toy/flipped': 0}),
        (False, [], {'toy/flipped': 0}),
        (False, ['--flip', 'both'], {'toy/flipped': 0, 'flip/toy/flipped': 4}),
        (False, ['--flip', 'on'], {'flip/toy/flipped': 4}),
        (False, ['--flip', 'off'], {'toy/flipped': 0}),
    ],
)
def test_metrics_with_and_without_flipping(config, tmp_path, flips, options, metrics):
    weights = {'layer.weight': torch.zeros(1, 2), 'layer.bias': torch.zeros(1)}
    torch.save({'state_dict': weights}, 'toy.pth')
    settings = [f'model.test_cfg.flip_test={flips}', 'test_evaluator.type=CommandToyFlipMetric']
    code = run_test(
        [
            *(config, 'toy.pth', '--out', 'metrics.json', '--dump', 'dumped.pkl', *options),
            *('--cfg-options', *settings),
        ]
    )
    assert code == 0
    assert json.loads((tmp_path / 'metrics.json').read_text()) == metrics
    # What is dumped last is what the config's own setting gave, where it was tested.
    dumped = {sample['flipped'] for sample in load(tmp_path / 'dumped.pkl')}
    assert dumped == {flips if 'toy/flipped' in metrics else not flips}


@pytest.mark.parametrize(
    ('by_config', 'flips', 'options', 'flipped'),
    [
        (True, True, [], True),
        (False, True, [], True),
        (False, False, ['--flip', 'both'], False),
        (False, False, ['--flip', 'on'], True),
    ],
)
def test_each_prediction_is_drawn_once(
    config, tmp_path, monkeypatch, flips, options, flipped, by_config
):
    drawn: list[tuple[str, bool]] = []

    def draw(hook: Any, runner: Any, batch_idx: int, data_batch: Any, outputs: Any) -> None:
        if hook.enable:
            drawn.extend((hook.out_dir, sample['flipped']) for sample in outputs)

    monkeypatch.setattr(WindowVisualizationHook, 'after_test_iter', draw)
    weights = {'layer.weight': torch.zeros(1, 2), 'layer.bias': torch.zeros(1)}
    torch.save({'state_dict': weights}, 'toy.pth')
    settings = [f'model.test_cfg.flip_test={flips}']
    if by_config:
        hook = {'type': 'WindowVisualizationHook', 'enable': True, 'out_dir': 'pictures'}
        settings += [f'default_hooks.visualization.{name}={value}' for name, value in hook.items()]
        settings += ['visualizer.type=PoseLocalVisualizer']
    else:
        options = [*options, '--show-dir', 'pictures']
    assert run_test([config, 'toy.pth', *options, '--cfg-options', *settings]) == 0
    folder = 'pictures' if by_config else str(tmp_path / 'pictures')
    assert drawn == [(folder, flipped)] * 4


def test_a_config_in_the_work_folder_stays_what_it_is(config, tmp_path):
    before = (tmp_path / config).read_bytes()
    assert run_train([config, '--work-dir', '.', '--seed', '1']) == 0
    assert (tmp_path / config).read_bytes() == before
    assert (tmp_path / 'epoch_2.pth').is_file()


def test_the_checkpoint_to_start_from_is_not_overwritten(config, tmp_path, capsys):
    assert run_train([config, '--work-dir', 'run']) == 0
    before = (tmp_path / 'run' / 'epoch_2.pth').read_bytes()
    code = run_train([config, '--work-dir', 'run', '--cfg-options', 'load_from=run/epoch_2.pth'])
    assert 'epoch_2.pth is in the work folder run' in error_line(code, capsys)
    assert (tmp_path / 'run' / 'epoch_2.pth').read_bytes() == before


@pytest.mark.parametrize('resumes', [False, True])
def test_a_new_run_says_that_the_best_checkpoint_of_another_is_there(config, capsys, resumes):
    options = ['--work-dir', 'run', '--cfg-options', 'log_level=WARNING']
    hook = {'type': 'CheckpointHook', 'save_best': 'toy/count', 'rule': 'greater'}
    Path(config).write_text(f'{CONFIG}default_hooks = dict(checkpoint={hook})\n')
    assert run_train([config, *options]) == 0
    assert 'of an earlier run' not in capsys.readouterr().out
    assert run_train([config, *['--resume'] * resumes, *options]) == 0
    remark = 'run holds best_toy_count_epoch_1.pth of an earlier run, which may stay'
    assert (remark in capsys.readouterr().out) != resumes


@pytest.mark.parametrize('record', ['', 'run/epoch_1.pth'], ids=['empty', 'removed'])
def test_resume_after_a_kill_while_checkpoints_change_places(config, tmp_path, record):
    """MMEngine removes the old one first, and writes the record last."""
    short = ['--cfg-options', 'train_cfg.max_epochs=1']
    assert run_train([config, '--work-dir', 'run', *short]) == 0
    (tmp_path / 'run' / 'epoch_1.pth').rename(tmp_path / 'run' / 'epoch_01.pth')
    (tmp_path / 'run' / 'last_checkpoint').write_text(record)
    assert run_train([config, '--work-dir', 'run', '--resume']) == 0
    second = torch.load(tmp_path / 'run' / 'epoch_2.pth', weights_only=False)
    assert second['meta']['iter'] == 4
    # A run that began anew would do the first epoch again. Runs of one second share a file.
    files = sorted((tmp_path / 'run').glob('*/vis_data/scalars.json'))
    records = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert [record['epoch'] for record in records if 'loss' in record] == [1, 2]


def test_a_checkpoint_is_whole_or_not_there(config, tmp_path, monkeypatch, capsys):
    def fill(backend: LocalBackend, data: bytes, path: str) -> None:
        Path(path).write_bytes(data[:2])
        raise OSError(errno.ENOSPC, 'No space left on device')

    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'epoch_1.pth').write_bytes(b'first')
    monkeypatch.setattr(LocalBackend, 'put', fill)
    line = error_line(run_train([config, '--work-dir', 'run']), capsys)
    assert 'epoch_1.pth cannot be written: No space left' in line
    assert (tmp_path / 'run' / 'epoch_1.pth').read_bytes() == b'first'
    assert not [file for file in (tmp_path / 'run').iterdir() if 'partial' in file.name]
