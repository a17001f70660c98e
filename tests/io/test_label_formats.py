from collections.abc import Callable
from pathlib import Path

import pytest
from label_samples import sample

from stdpose_mm.errors import InputError
from stdpose_mm.io import read_labels, sniff_format, write_labels

ROOT = Path(__file__).resolve().parents[2]
CONVERTER = ROOT / 'tools' / 'dataset_converters' / 'convert_labels.py'
GOLDEN = ROOT / 'tests' / 'data' / 'posetrack_eval'


@pytest.mark.parametrize(
    ('target', 'found'),
    [
        ('posetrack18', 'posetrack18'),
        ('posetrack21', 'posetrack18'),
        ('posetrack18-official', 'posetrack18'),
        ('coco', 'coco'),
        ('cvat', 'cvat'),
    ],
)
def test_the_format_of_a_written_file_is_found(tmp_path: Path, target: str, found: str):
    write_labels(sample(), tmp_path / 'labels', target)

    assert sniff_format(tmp_path / 'labels') == found
    assert len(read_labels(tmp_path / 'labels').persons) == 3


@pytest.mark.parametrize(
    ('path', 'found'),
    [
        ('pt17/annolist/000342_mpii.json', 'posetrack17'),
        ('pt17/expected18/000342_mpii_test.json', 'posetrack18'),
        ('dense/gt/020001_mpii_test.json', 'posetrack18'),
        ('dense/pred/020001_mpii_test.json', 'posetrack18'),
    ],
)
def test_the_format_of_posetracks_files_is_found(path: str, found: str):
    assert sniff_format(GOLDEN / path) == found


def test_an_unknown_format_is_refused(tmp_path: Path):
    write_labels(sample(), tmp_path / 'a.json')

    with pytest.raises(InputError, match=r"must be one of posetrack17, .*, got 'yolo'"):
        read_labels(tmp_path / 'a.json', 'yolo')
    with pytest.raises(InputError, match=r"must be one of posetrack18, .*, got 'yolo'"):
        write_labels(sample(), tmp_path / 'b.json', 'yolo')


def test_the_command_converts(tmp_path: Path, run_tool: Callable):
    write_labels(sample(), tmp_path / 'a.xml', 'cvat')
    done = run_tool(CONVERTER, tmp_path / 'a.xml', tmp_path / 'b.json', '--to', 'coco')

    assert done == (0, '')
    assert sniff_format(tmp_path / 'b.json') == 'coco'
    assert read_labels(tmp_path / 'b.json').track_ids == (0, 1)


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (['wrong.json', 'out.json'], 'wrong.json'),
        (['labels.json', 'out.json', '--to', 'yolo'], '--to: invalid choice'),
    ],
)
def test_the_command_tells_what_is_wrong_in_one_line(
    tmp_path: Path, run_tool: Callable, arguments: list[str], told: str
):
    (tmp_path / 'wrong.json').write_text('{"images": 1}')
    code, errors = run_tool(
        CONVERTER, *[tmp_path / a if a.endswith('.json') else a for a in arguments]
    )

    assert code == 2
    assert len(errors.splitlines()) == 1
    assert told in errors
    assert not (tmp_path / 'out.json').exists()
