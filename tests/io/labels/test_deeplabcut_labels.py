from pathlib import Path

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_all_labels, read_deeplabcut, read_labels, sniff_format
from support.paths import ROOT

# As DeepLabCut's labelling tool writes it: the path over three columns, joints in its own order.
ONE_ANIMAL = """\
scorer,,,ann,ann,ann,ann
bodyparts,,,snout,snout,ear,ear
coords,,,x,y,x,y
labeled-data,monday,img0012.png,30.5,40.25,5,6
labeled-data,monday,img0003.png,1.5,2.5,,
labeled-data,monday,img0020.png,,,,
"""
# The older layout, the path in one column; `single` is DeepLabCut's name for what is there once.
SEVERAL = """\
scorer,ann,ann,ann,ann,ann,ann,ann,ann,ann,ann
individuals,mus1,mus1,mus1,mus1,mus2,mus2,mus2,mus2,single,single
bodyparts,snout,snout,tail,tail,snout,snout,tail,tail,corner,corner
coords,x,y,x,y,x,y,x,y,x,y
labeled-data\\monday\\img3.png,1,2,3,4,,,,,9,8
labeled-data\\monday\\img7.png,,,,,5,6,7,8,,
labeled-data\\tuesday\\img1.png,1,1,2,2,,,,,,
"""


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    path = tmp_path / 'CollectedData_ann.csv'
    path.write_text(ONE_ANIMAL)
    return path


def test_one_animal_without_pictures_on_the_disk(collected: Path):
    labels = read_labels(collected)

    assert labels.name == 'monday'
    assert labels.skeleton.keypoint_names == ('snout', 'ear')
    assert [(p.frame_index, p.track_id) for p in labels.persons] == [(3, 0), (12, 0)]
    assert labels.persons[0].keypoints.tolist() == [[1.5, 2.5], [0, 0]]
    assert labels.persons[0].visibility.tolist() == [2, 0]
    assert labels.persons[1].keypoints.tolist() == [[30.5, 40.25], [5, 6]]


def test_pictures_without_labels_are_frames_nobody_vouches_for(collected: Path):
    frames = read_labels(collected).frames

    assert [frame.index for frame in frames] == [3, 12, 20]
    assert [frame.is_labeled for frame in frames] == [True, True, None]
    assert frames[0].file_name == 'labeled-data/monday/img0003.png'


def test_several_animals_and_videos(tmp_path: Path):
    path = tmp_path / 'CollectedData_ann.csv'
    path.write_text(SEVERAL)
    monday, tuesday = read_all_labels(path)

    assert (monday.name, tuesday.name) == ('monday', 'tuesday')
    assert monday.skeleton.keypoint_names == ('snout', 'tail', 'corner')
    assert [(p.frame_index, p.track_id, p.extra['track_name']) for p in monday.persons] == [
        (3, 0, 'mus1'),
        (3, 2, 'single'),
        (7, 1, 'mus2'),
    ]
    assert monday.persons[0].keypoints.tolist() == [[1, 2], [3, 4], [0, 0]]
    assert monday.persons[1].keypoints.tolist() == [[0, 0], [0, 0], [9, 8]]
    assert [p.frame_index for p in tuesday.persons] == [1]


def test_pictures_without_distinct_numbers_are_counted(collected: Path):
    collected.write_text(ONE_ANIMAL.replace('img0020', 'img0003-again3'))

    assert [frame.index for frame in read_labels(collected).frames] == [0, 1, 2]


@pytest.mark.parametrize('text', [ONE_ANIMAL, SEVERAL, '\ufeff' + SEVERAL])
def test_found_from_the_content(tmp_path: Path, text: str):
    path = tmp_path / 'labels'
    path.write_text(text, encoding='utf-8')

    assert sniff_format(path) == 'deeplabcut'
    assert read_all_labels(path)[0].persons


def test_converted_on_the_command_line(run_tool, collected: Path, tmp_path: Path):
    tool = ROOT / 'tools/dataset_converters/convert_labels.py'
    code, said = run_tool(tool, collected, tmp_path / 'out.json')

    assert (code, said) == (0, '')
    assert read_labels(tmp_path / 'out.json').persons[1].keypoints.tolist() == [
        [30.5, 40.25],
        [5, 6],
    ]


@pytest.mark.parametrize(
    ('old', 'new', 'told'),
    [
        ('bodyparts', 'parts', 'expected header rows scorer'),
        ('x,y,x,y', 'x,y,x,likelihood', 'x, y, likelihood, .*, got .*x,y,x,likelihood'),
        ('snout,snout', 'snout,nose', 'columns 4 to 5 must be x, y of one bodypart'),
        ('ear,ear', 'snout,snout', "bodypart of '' 'snout' appears twice"),
        ('ear,ear', ',', 'non-empty'),
        (',5,6', ',5', 'row 4 must have 7 columns .* got 6'),
        (',5,6', ',5,', "ear of labeled-data/monday/img0012.png must be two numbers .* '5,'"),
        (',5,6', ',5,six', "got '5,six'"),
        (',5,6', ',5,inf', "got '5,inf'"),
        (',5,6', ',5,1e9', "got '5,1e9'"),
        ('img0012', 'img0003', "picture 'labeled-data/monday/img0003.png' appears twice"),
    ],
)
def test_mistakes_are_named(collected: Path, old: str, new: str, told: str):
    assert old in ONE_ANIMAL
    collected.write_text(ONE_ANIMAL.replace(old, new, 1))

    with pytest.raises(InputError, match=told) as caught:
        read_deeplabcut(collected)
    assert str(collected) in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('data', [b'{}', b'scorer,\xff', b'scorer\n', b'scorer,a\n"'])
def test_other_files_are_refused(tmp_path: Path, data: bytes):
    path = tmp_path / 'labels.csv'
    path.write_bytes(data)

    with pytest.raises(InputError, match=r'labels\.csv'):
        read_deeplabcut(path)
