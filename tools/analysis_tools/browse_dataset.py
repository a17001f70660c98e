r"""Draw the windows that training (or validation) will see.

    python tools/analysis_tools/browse_dataset.py CONFIG --out-dir DIR [--number N] [--split \
        train|val|test]

There is one picture per window. From left to right it shows the left, key and right frame; from top
to bottom, the crops with their labels, the maps of the given labels with the interpolated pose
between them, and the target maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import REQUIRED, argument, option
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.disk.file_names import file_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILE_HEIGHT = 2.9
"""Height of a crop, in inches."""

CAPTION_HEIGHT = 0.5
LIMB_COLOR, JOINT_COLOR = 'limegreen', 'orange'


@dataclass(frozen=True, kw_only=True)
class BrowseOptions(ConfigOptions):
    """Options of ``browse_dataset.py``.

    Args:
        config: Config file of an experiment.
        out_dir: Folder to write the pictures to.
        number: Number of windows.
        split: Split of the data to draw.
        seed: Seed of the choice and of the augmentation.
    """

    config: str = argument('CONFIG')
    out_dir: Path = option(REQUIRED, writes=True, is_folder=True, files=('*.png',), metavar='DIR')
    number: int = option(20, type=positive, metavar='N')
    split: str = option('train', choices=('train', 'val', 'test'))
    seed: int = option(0, type=seed)


def browse(options: BrowseOptions) -> None:
    """Draw the windows.

    Raises:
        InputError: If the config or a file that it names cannot be used.
    """
    require_packages('a data set', 'torch', 'mmpose')
    from stdpose_mm.visualization.plots import save_figure

    changes = parse_config_options(options.cfg_options)
    dataset = build_unpacked_dataset(options.config, options.split, changes)
    np.random.seed(options.seed)
    chosen = np.random.permutation(len(dataset))[: options.number]
    for number, index in enumerate(chosen):
        sample = dataset[int(index)]
        name = file_name(Path(sample['video_name']).name)
        path = options.out_dir / f'{number:04d}_{name}_{sample["frame_index"]:06d}.png'
        save_figure(contact_sheet(sample), path)
    print(f'{len(chosen)} windows drawn in {options.out_dir}')


def build_unpacked_dataset(config: str, split: str, options: dict[str, Any] | None) -> Any:
    """Build the dataset of a split, with a pipeline without the packing at its end.

    Raises:
        InputError: If the config has no such dataset, or the dataset is not a list of windows.
    """
    from mmengine.registry import init_default_scope
    from mmengine.utils import import_modules_from_strings

    from stdpose_mm.engine.config_files import config_mistakes, read_config

    cfg = read_config(config, options)
    import_modules_from_strings(**cfg.get('custom_imports', {'imports': ['stdpose_mm']}))
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    # MMPose's registry is only complete after the custom imports.
    from mmpose.registry import DATASETS

    dataset = cfg.get(f'{split}_dataloader', {}).get('dataset', {})
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    steps = [step['type'] for step in dataset.get('pipeline', [])]
    if 'GenerateWindowTarget' not in steps:
        raise InputError(
            f'{config}: the pipeline of {split}_dataloader.dataset must contain '
            f'GenerateWindowTarget, got {steps}'
        )
    dataset['pipeline'] = [s for s in dataset['pipeline'] if not s['type'].startswith('Pack')]
    with config_mistakes(config):
        return DATASETS.build(dataset)


def contact_sheet(sample: dict[str, Any]) -> Figure:
    """Draw one unpacked sample, of one key frame or several, with a column for each frame."""
    from matplotlib.figure import Figure

    side, num_keys = len(sample['aux_keypoints']) // 2, len(sample['keypoints'])

    def in_order(of_aux: np.ndarray, of_keys: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [*of_aux[:side], *of_keys, *of_aux[side:]]

    poses = in_order(sample['transformed_aux_keypoints'], sample['transformed_keypoints'])
    visible = in_order(sample['aux_keypoints_visible'], sample['keypoints_visible'])
    aux_targets = np.stack(np.split(sample['aux_heatmaps'], 2 * side))
    targets, priors = (np.split(sample[name], num_keys) for name in ('heatmaps', 'prior_heatmaps'))
    # Frames between the outermost frames and the key frame get no label.
    given = np.zeros_like(aux_targets)
    given[[0, -1]] = np.split(sample['given_heatmaps'], 2)
    maps = in_order(given, priors), in_order(aux_targets, targets)

    height, width = sample['img'][0].shape[:2]
    size = TILE_HEIGHT * width / height * len(poses), 3 * TILE_HEIGHT + CAPTION_HEIGHT
    figure = Figure(figsize=size, layout='constrained')
    figure.suptitle(caption(sample), fontsize='small', parse_math=False)
    axes = figure.subplots(3, len(poses))
    for frame, picture in enumerate(sample['img']):
        for axis in axes[:, frame]:
            axis.imshow(picture[..., ::-1])
            axis.set_axis_off()
        draw_pose(axes[0, frame], poses[frame], visible[frame], sample['skeleton_links'])
        for axis, heatmaps in zip(axes[1:, frame], maps, strict=True):
            strength = heatmaps[frame].max(axis=0).clip(0, 1)
            extent = (-0.5, width - 0.5, height - 0.5, -0.5)
            axis.imshow(strength, 'turbo', alpha=0.5 + strength / 2, extent=extent)
    return figure


def draw_pose(
    axis: Axes, pose: np.ndarray, visible: np.ndarray, links: Sequence[tuple[int, int]]
) -> None:
    """Draw the labelled joints of ``pose`` [K, 2] and their limbs."""
    for link in links:
        if visible[[*link]].all():
            axis.plot(*pose[[*link]].T, color=LIMB_COLOR)
    axis.plot(*pose[visible > 0].T, 'o', color=JOINT_COLOR, markersize=4)


def caption(sample: dict[str, Any]) -> str:
    """Name the window and its given labels."""
    from stdpose_mm.visualization.plots import printable

    shown = sample['given_mask'][0].sum(axis=1).astype(int)
    positions = ', '.join(f'{place:.2f}' for place in np.ravel(sample['window_position']))
    frames = ', '.join(map(str, sample['frame_indices']))
    return (
        f'{printable(sample["video_name"])}  frames {frames}  track {sample["track_id"]}\n'
        f'position {positions}  joints given: left {shown[0]}, right {shown[1]}  '
        f'flipped: {sample.get("flip", False)}'
    )


main = Command(BrowseOptions, browse, __doc__, 'browse_dataset.py')

if __name__ == '__main__':
    raise SystemExit(main())
