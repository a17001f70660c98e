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
from typing import Any

import cv2
import numpy as np

from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import REQUIRED, argument, option
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io.file_names import file_name

TILE_HEIGHT = 320
CAPTION_HEIGHT = 44
GAP = 4
LIMB_COLOR = (90, 200, 90)
JOINT_COLOR = (40, 160, 255)
TEXT_COLOR = (230, 230, 230)


@dataclass(kw_only=True)
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
    from stdpose_mm.io.video import write_picture

    changes = parse_config_options(options.cfg_options)
    dataset = build_unpacked_dataset(options.config, options.split, changes)
    np.random.seed(options.seed)
    chosen = np.random.permutation(len(dataset))[: options.number]
    for number, index in enumerate(chosen):
        sample = dataset[int(index)]
        name = file_name(Path(sample['video_name']).name)
        path = options.out_dir / f'{number:04d}_{name}_{sample["frame_index"]:06d}.png'
        write_picture(path, contact_sheet(sample))
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


def contact_sheet(sample: dict[str, Any]) -> np.ndarray:
    """Draw one unpacked sample, of one key frame or several, as a picture BGR [H, W, 3]."""
    pictures = sample['img']
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
    links = sample['skeleton_links']
    rows = [
        [draw_pose(*frame, links) for frame in zip(pictures, poses, visible, strict=True)],
        [overlay(*frame) for frame in zip(pictures, in_order(given, priors), strict=True)],
        [overlay(*frame) for frame in zip(pictures, in_order(aux_targets, targets), strict=True)],
    ]
    sheet = np.vstack([np.hstack([framed(tile) for tile in row]) for row in rows])
    return np.vstack([caption(sample, sheet.shape[1]), sheet])


def enlarged(image: np.ndarray) -> np.ndarray:
    """Resize ``image`` to the height of a tile."""
    width = round(image.shape[1] * TILE_HEIGHT / image.shape[0])
    return cv2.resize(image, (width, TILE_HEIGHT), interpolation=cv2.INTER_CUBIC)


def framed(tile: np.ndarray) -> np.ndarray:
    """Add a dark gap to the right and bottom edge of ``tile``."""
    return cv2.copyMakeBorder(tile, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def draw_pose(
    image: np.ndarray, pose: np.ndarray, visible: np.ndarray, links: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Draw the labelled joints of ``pose`` [K, 2] and their limbs on the enlarged crop."""
    tile = enlarged(image)
    scale = (np.array(tile.shape[1::-1]) - 1) / (np.array(image.shape[1::-1]) - 1)
    points = [(int(x), int(y)) for x, y in np.rint(pose * scale)]
    for a, b in links:
        if visible[a] and visible[b]:
            cv2.line(tile, points[a], points[b], LIMB_COLOR, 2, cv2.LINE_AA)
    for point, shown in zip(points, visible, strict=True):
        if shown:
            cv2.circle(tile, point, 4, JOINT_COLOR, -1, cv2.LINE_AA)
    return tile


def overlay(image: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Draw the maximum of ``heatmaps`` [K, h, w] over the joints on the enlarged dark crop."""
    tile = enlarged(image)
    strength = cv2.resize(heatmaps.max(axis=0), tile.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    strength = np.clip(strength, 0, 1)[..., None]
    colours = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    return (0.5 * tile * (1 - strength) + colours * strength).astype(np.uint8)


def caption(sample: dict[str, Any], width: int) -> np.ndarray:
    """Draw a strip that names the window and its given labels."""
    shown = sample['given_mask'][0].sum(axis=1).astype(int)
    positions = ', '.join(f'{place:.2f}' for place in np.ravel(sample['window_position']))
    lines = (
        f'{sample["video_name"]}  frames {tuple(sample["frame_indices"])}  '
        f'track {sample["track_id"]}',
        f'position {positions}  joints given: left {shown[0]}, '
        f'right {shown[1]}  flipped: {sample.get("flip", False)}',
    )
    strip = np.zeros((CAPTION_HEIGHT, width, 3), np.uint8)
    for i, line in enumerate(lines):
        cv2.putText(
            strip,
            line,
            (6, 17 + 19 * i),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            TEXT_COLOR,
            1,
            cv2.LINE_AA,
        )
    return strip


main = Command(BrowseOptions, browse, __doc__, 'browse_dataset.py')

if __name__ == '__main__':
    raise SystemExit(main())
