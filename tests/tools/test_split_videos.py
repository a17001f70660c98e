from __future__ import annotations

from pathlib import Path

import pytest

from support.tools import load_tool

main = load_tool('dataset_converters/split_videos').main


def labels_of(number: int, folder: Path) -> Path:
    """Make a folder of label files, each of which is a group of its own."""
    labels = folder / 'labels'
    labels.mkdir()
    for name in range(number):
        (labels / f'{name}.json').write_text('{}')
    return labels


def numbers_in(folder: Path) -> tuple[int, int]:
    """How many videos are trained on, and how many are held out."""
    train, val = (
        {Path(line).name for line in (folder / f'{name}.txt').read_text().splitlines()}
        for name in ('train', 'val')
    )
    assert not train & val
    return len(train), len(val)


@pytest.mark.parametrize(
    ('number', 'share', 'expected'),
    [(3, 0.9, (1, 2)), (3, 0.01, (2, 1)), (2, 0.99, (1, 1)), (10, 0.3, (7, 3))],
)
def test_each_side_has_a_group_whatever_the_share(number, share, expected, tmp_path):
    labels, out = labels_of(number, tmp_path), tmp_path / 'out'
    assert main([str(labels), str(out), '--val-share', str(share)]) == 0
    assert numbers_in(out) == expected


def test_a_single_group_is_refused(tmp_path, capsys):
    labels = labels_of(1, tmp_path)
    assert main([str(labels), str(tmp_path / 'out')]) == 2
    assert capsys.readouterr().err == (
        f'split_videos.py: {labels} holds 1 group of videos, expected at least 2 to split\n'
    )
