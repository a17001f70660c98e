from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.structures.propagated_labels import accept_predictions

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
# As analyze_videos writes it for one animal; Lightning Pose differs in the scorer only.
PREDICTIONS = """\
scorer,DLC_resnet50_ratMar1shuffle1_5000,DLC_resnet50_ratMar1shuffle1_5000,\
DLC_resnet50_ratMar1shuffle1_5000
bodyparts,snout,snout,snout
coords,x,y,likelihood
0,30.5,40.25,0.875
1,31.5,41.25,0.0625
"""
PREDICTIONS_OF_SEVERAL = """\
scorer,DLC,DLC,DLC,DLC,DLC,DLC
individuals,mus1,mus1,mus1,mus2,mus2,mus2
bodyparts,snout,snout,snout,snout,snout,snout
coords,x,y,likelihood,x,y,likelihood
7,1,2,0.5,,,
8,,,,3,4,0.25
"""
# Lightning Pose's predictions of the pictures that were labelled.
OF_LABELLED_PICTURES = """\
scorer,heatmap_tracker,heatmap_tracker,heatmap_tracker,set
bodyparts,paw,paw,paw,
coords,x,y,likelihood,
labeled-data/monday/img00000012.png,1.5,2.5,0.75,train
labeled-data/monday/img00000003.png,3.5,4.5,0.5,validation
"""
SKELETON = Skeleton(('snout', 'ear'), limbs=((0, 1),), category='animal')


def label(frame: int, track_id: int | None = 0, **fields) -> PersonLabel:
    values = {'keypoints': [[1.5, 2.25], [3, 4]], 'visibility': [2, 2], **fields}
    return PersonLabel(frame, track_id=track_id, **values)


def video(*persons: PersonLabel, **fields) -> VideoLabels:
    frames = tuple(VideoFrame(index) for index in (3, 12, 20))
    return VideoLabels('monday', SKELETON, frames, persons, **fields)


# A table of labels whose third column and name tell who made it.
TABLE = """\
scorer,{0},{0},{0},{0},{0},{0}
bodyparts,snout,snout,snout,ear,ear,ear
coords,x,y,{1},x,y,{1}
labeled-data/monday/img0003.png,1.5,2.5,0,30.5,40.25,1
labeled-data/monday/img0012.png,3,4,1,,,
"""
TWO_COLUMNS = '\n'.join(
    ','.join([*row[:3], *row[4:6]]) for row in (line.split(',') for line in TABLE.split('\n'))
)


@pytest.mark.parametrize(
    ('name', 'table', 'source'),
    [
        ('CollectedData_ann.csv', TABLE.format('ann', 'likelihood'), 'given'),
        ('CollectedData_ann.csv', TWO_COLUMNS.format('ann', ''), 'given'),
        ('machinelabels-iter0.csv', TABLE.format('net', 'likelihood'), 'propagated'),
        ('machinelabels.csv', TWO_COLUMNS.format('net', ''), 'propagated'),
        ('anything.csv', TWO_COLUMNS.format('ann', ''), 'given'),
        ('CollectedData_stdpose.csv', TWO_COLUMNS.format('stdpose', ''), 'propagated'),
    ],
)
def test_the_name_tells_who_made_a_file(tmp_path: Path, name: str, table: str, source: str):
    (tmp_path / name).write_text(table)
    labels = read_labels(tmp_path / name)

    assert [person.source for person in labels.persons] == [source, source]
    assert [person.visibility.tolist() for person in labels.persons] == [[2, 2], [2, 0]]
    has_scores = source == 'propagated' and 'likelihood' in table
    assert [person.scores is not None for person in labels.persons] == [has_scores, has_scores]


def test_lightning_poses_visible_is_cocos_v(tmp_path: Path):
    """Version 2.4; a joint that is occluded somewhere unknown has no place."""
    rows = ['1.5,2.5,2,30.5,40.25,1', '3,4,0,,,1', '3,4,,5,6,2.0', '7,8,0,,,0']
    header = TABLE.format('ann', 'visible').split('\n')[:3]
    lines = [f'labeled-data/monday/img{i:08}.png,{row}' for i, row in enumerate(rows)]
    (tmp_path / 'x.csv').write_text('\n'.join(header + lines))
    labels = read_labels(tmp_path / 'x.csv')

    assert [(p.frame_index, p.visibility.tolist()) for p in labels.persons] == [
        (0, [2, 1]),
        (2, [2, 2]),
    ]
    assert {person.source for person in labels.persons} == {'given'}


def test_lightning_poses_form_is_written(tmp_path: Path):
    labels = video(label(3, visibility=[2, 1]), label(12, visibility=[0, 2]))
    write_labels(labels, tmp_path / 'out.csv', 'lightning-pose')

    assert (tmp_path / 'out.csv').read_text() == (
        'scorer,annotator,annotator,annotator,annotator,annotator,annotator\n'
        'bodyparts,snout,snout,snout,ear,ear,ear\n'
        'coords,x,y,visible,x,y,visible\n'
        'labeled-data/monday/img0003.png,1.5,2.25,2,3.0,4.0,1\n'
        'labeled-data/monday/img0012.png,,,0,3.0,4.0,2\n'
    )
    assert [path.name for path in tmp_path.iterdir()] == ['out.csv']
    back = read_labels(tmp_path / 'out.csv')
    assert [p.visibility.tolist() for p in back.persons] == [[2, 1], [0, 2]]


def test_one_animal_without_pictures_on_the_disk(tmp_path: Path):
    path = tmp_path / 'CollectedData_ann.csv'
    path.write_text(ONE_ANIMAL)
    labels = read_labels(path)

    assert (labels.name, sniff_format(path)) == ('monday', 'deeplabcut')
    assert labels.skeleton.keypoint_names == ('snout', 'ear')
    assert [(p.frame_index, p.track_id) for p in labels.persons] == [(3, 0), (12, 0)]
    assert labels.persons[0].keypoints.tolist() == [[1.5, 2.5], [0, 0]]
    assert labels.persons[0].visibility.tolist() == [2, 0]
    assert labels.persons[1].keypoints.tolist() == [[30.5, 40.25], [5, 6]]
    # Nobody vouches for a picture without labels.
    frames = labels.frames
    assert [(f.index, f.is_labeled) for f in frames] == [(3, True), (12, True), (20, None)]
    assert frames[0].file_name == 'labeled-data/monday/img0003.png'
    # Where numbers repeat, pictures are counted.
    path.write_text(ONE_ANIMAL.replace('img0020', 'img0003-again3'))
    assert [*read_labels(path)] == [0, 1, 2]


def test_several_animals_and_videos(tmp_path: Path):
    path = tmp_path / 'labels'
    path.write_text('\ufeff' + SEVERAL, encoding='utf-8')
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


# In the newer layout, with an individual that is in none of the pictures.
WITH_UNIQUE_BODYPART = """\
scorer,,,annotator,annotator,annotator,annotator,annotator,\
annotator,annotator,annotator,annotator,annotator
individuals,,,mus1,mus1,mus1,mus1,mus2,mus2,mus2,mus2,single,single
bodyparts,,,snout,snout,tail,tail,snout,snout,tail,tail,corner,corner
coords,,,x,y,x,y,x,y,x,y,x,y
labeled-data,monday,img3.png,1.0,2.0,3.0,4.0,,,,,9.0,8.0
labeled-data,monday,img7.png,5.0,6.0,,,,,,,,
"""


@pytest.fixture
def with_unique(tmp_path: Path) -> Path:
    path = tmp_path / 'CollectedData_annotator.csv'
    path.write_text(WITH_UNIQUE_BODYPART)
    return path


def config_beside(path: Path) -> dict:
    return yaml.safe_load(path.with_name(f'{path.stem}_config.yaml').read_text())


@pytest.mark.parametrize('detour', [False, True])
def test_unique_bodyparts_are_written_in_deeplabcuts_own_layout(
    with_unique: Path, tmp_path: Path, detour: bool
):
    """Also after a detour through a COCO file."""
    labels = read_labels(with_unique)
    if detour:
        write_labels(labels, tmp_path / 'labels.json', 'coco')
        labels = read_labels(tmp_path / 'labels.json')
    write_labels(labels, tmp_path / 'out.csv', 'deeplabcut')

    assert (tmp_path / 'out.csv').read_text() == WITH_UNIQUE_BODYPART
    config = config_beside(tmp_path / 'out.csv')
    assert config['individuals'] == ['mus1', 'mus2']
    assert config['multianimalbodyparts'] == ['snout', 'tail']
    assert config['uniquebodyparts'] == ['corner']


def test_the_project_is_kept_where_only_unique_bodyparts_are_labelled(
    with_unique: Path, tmp_path: Path
):
    labels = read_labels(with_unique)
    only = [p for p in labels.persons if p.extra['track_name'] == 'single']
    write_labels(labels.with_persons(only), tmp_path / 'out.csv', 'deeplabcut')

    header = (tmp_path / 'out.csv').read_text().splitlines()[1]
    assert header == WITH_UNIQUE_BODYPART.splitlines()[1]
    assert config_beside(tmp_path / 'out.csv')['individuals'] == ['mus1', 'mus2']


def test_joints_that_deeplabcut_has_no_column_for_are_left_out_with_a_warning(
    with_unique: Path, tmp_path: Path
):
    labels = read_labels(with_unique)
    wrong = replace(labels.persons[0], visibility=[2, 2, 2], keypoint_sources=None)
    with pytest.warns(InputWarning, match="1 joints? .* left out, such as corner of 'mus1'"):
        write_labels(
            labels.with_persons([wrong, *labels.persons[1:]]), tmp_path / 'o.csv', 'deeplabcut'
        )

    assert (tmp_path / 'o.csv').read_text() == WITH_UNIQUE_BODYPART


@pytest.mark.parametrize(
    ('visibility', 'names', 'unique'),
    [
        # The joint of `single` alone is unique.
        ([0, 2], ['one', 'single'], ['ear']),
        # A person of that name with the joints of the others is one of them.
        ([2, 2], ['one', 'individual1'], []),
    ],
)
def test_an_individual_of_another_format_called_single(
    tmp_path: Path, visibility: list[int], names: list[str], unique: list[str]
):
    persons = [
        label(3, 0, visibility=[2, 0], extra={'track_name': 'one'}),
        label(3, 1, visibility=visibility, extra={'track_name': 'single'}),
    ]
    write_labels(video(*persons), tmp_path / 'out.csv', 'deeplabcut')

    back = read_labels(tmp_path / 'out.csv')
    assert [p.extra['track_name'] for p in back.persons] == names
    assert [p.visibility.tolist() for p in back.persons] == [[2, 0], visibility]
    config = config_beside(tmp_path / 'out.csv')
    assert config['uniquebodyparts'] == unique
    assert config['individuals'] == [name for name in names if name != 'single']


@pytest.mark.parametrize(
    ('name', 'table', 'video_name', 'frames', 'scores'),
    [
        ('clipDLC_resnet50_ratMar1shuffle1_5000', PREDICTIONS, 'clip', [0, 1], [0.875, 0.0625]),
        # As pandas writes an index that was joined with another.
        (
            'clip',
            PREDICTIONS.replace('\n0,', '\n7.0,').replace('\n1,', '\n9.,'),
            'clip',
            [7, 9],
            [0.875, 0.0625],
        ),
        ('predictions', OF_LABELLED_PICTURES, 'monday', [3, 12], [0.5, 0.75]),
        # The column of Lightning Pose after it has gone through pandas.
        (
            'predictions',
            OF_LABELLED_PICTURES.replace('paw,\n', 'paw,Unnamed: 4_level_1\n').replace(
                'likelihood,\n', 'likelihood,Unnamed: 4_level_2\n'
            ),
            'monday',
            [3, 12],
            [0.5, 0.75],
        ),
    ],
)
@pytest.mark.filterwarnings('ignore:.*Unnamed. 4_level_2$:stdpose_mm.errors.InputWarning')
def test_predictions_are_estimates(
    tmp_path: Path, name: str, table: str, video_name: str, frames: list[int], scores: list[float]
):
    path = tmp_path / f'{name}.csv'
    path.write_text(table)
    labels = read_labels(path)

    assert (labels.name, sniff_format(path)) == (video_name, 'deeplabcut')
    assert [(frame.index, frame.is_labeled) for frame in labels.frames] == [
        (frame, None) for frame in frames
    ]
    assert [(p.frame_index, p.source) for p in labels.persons] == [
        (frame, 'propagated') for frame in frames
    ]
    assert [p.scores.tolist() for p in labels.persons] == [[score] for score in scores]
    if table == PREDICTIONS:
        assert labels.persons[0].keypoints.tolist() == [[30.5, 40.25]]


def test_columns_are_known_by_their_names(tmp_path: Path):
    """As after pandas' sort_index(axis=1), or a pivot table."""
    path = tmp_path / 'clip.csv'
    rows = [line.split(',') for line in PREDICTIONS_OF_SEVERAL.splitlines()]
    for order in ([0, 1, 2, 3, 4, 5, 6], [0, 6, 1, 5, 2, 4, 3]):
        path.write_text('\n'.join(','.join(row[i] for i in order) for row in rows))
        persons = {p.extra['track_name']: p for p in read_labels(path).persons}
        assert [(name, p.frame_index) for name, p in persons.items()] == [('mus1', 7), ('mus2', 8)]
        assert [p.keypoints.tolist() for p in persons.values()] == [[[1, 2]], [[3, 4]]]
        assert [p.scores.tolist() for p in persons.values()] == [[0.5], [0.25]]


@pytest.mark.parametrize(
    ('table', 'first', 'frames'),
    [
        (PREDICTIONS, 'frame,,,', [0, 1]),
        (ONE_ANIMAL, 'folder,video,image,,,,', [12, 3, 20]),
        (ONE_ANIMAL, 'labeled-data,monday,img0001.png,,,,', [1, 12, 3, 20]),
        (PREDICTIONS, '7,,,', [7, 0, 1]),
    ],
)
def test_names_of_an_index_are_no_picture(
    tmp_path: Path, table: str, first: str, frames: list[int]
):
    """pandas writes the names of an index in a row of their own, behind the header."""
    lines = table.splitlines()
    (tmp_path / 'clip.csv').write_text('\n'.join([*lines[:3], first, *lines[3:]]))
    labels = read_labels(tmp_path / 'clip.csv')

    assert {frame.index for frame in labels.frames} == {*frames}
    assert [p.frame_index for p in labels.persons] == ([0, 1] if table is PREDICTIONS else [3, 12])


EKS = ('x', 'y', 'likelihood', 'x_ens_median', 'y_ens_median', 'x_ens_var', 'x_posterior_var')


@pytest.mark.parametrize(
    ('kinds', 'left_out'),
    [
        (EKS, 'x_ens_median, x_ens_var, x_posterior_var, y_ens_median'),
        # Older versions of EKS, and columns that a script put first.
        (('x', 'y', 'likelihood', 'x_var', 'y_var'), 'x_var, y_var'),
        (('speed', 'y', 'x', 'likelihood'), 'speed'),
    ],
)
def test_further_columns_are_left_out_with_a_note(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, kinds: tuple[str, ...], left_out: str
):
    value = {'x': 30.5, 'y': 40.25, 'likelihood': 0.875}
    joints = ('snout', 'ear')
    rows = [
        ['scorer', *['net'] * 2 * len(kinds)],
        ['bodyparts', *(joint for joint in joints for _ in kinds)],
        ['coords', *kinds * 2],
        ['0', *(str(value.get(kind, 'n/a')) for kind in kinds * 2)],
    ]
    path = tmp_path / 'clip.csv'
    path.write_text('\n'.join(map(','.join, rows)))
    (person,) = read_labels(path).persons

    assert person.keypoints.tolist() == [[30.5, 40.25]] * 2
    assert person.scores.tolist() == [0.875] * 2
    (warning,) = recwarn
    assert str(warning.message) == (
        f'{path}: only the columns x, y, likelihood are read, not {left_out}'
    )


def labelled_folder(folder: Path) -> Path:
    """``labeled-data/<video>`` of a project, with what DeepLabCut and its GUI put there."""
    folder.mkdir(parents=True)
    (folder / 'CollectedData_ann.csv').write_text(ONE_ANIMAL.replace('monday', folder.name))
    for name in ('CollectedData_ann.csv~', '._CollectedData_ann.csv', 'machinelabels.csv'):
        (folder / name).write_text('other')
    return folder


@pytest.mark.parametrize(
    'name',
    [
        *('CollectedData_ann.h5', 'CollectedData_stdpose.csv', 'img0003.png'),
        *('machinelabels-iter0.h5', 'CollectedData_ann_config.yaml'),
    ],
)
def test_the_folder_of_a_video_is_read(tmp_path: Path, name: str):
    folder = labelled_folder(tmp_path / 'labeled-data' / 'mouse.day1')
    # The CSV file needs no further package.
    (folder / name).write_bytes(b'anything')

    assert sniff_format(folder) == 'deeplabcut'
    labels = read_labels(folder)
    assert labels.name == 'mouse.day1'
    assert [p.frame_index for p in labels.persons] == [3, 12]


def test_a_folder_with_the_labels_of_two_people_is_refused(tmp_path: Path):
    folder = labelled_folder(tmp_path / 'monday')
    (folder / 'CollectedData_bob.csv').write_text(ONE_ANIMAL)
    with pytest.raises(
        InputError,
        match=r'one CollectedData file in it, got CollectedData_ann.csv, CollectedData_b',
    ):
        read_labels(folder)


def test_of_a_corrected_prediction_only_the_joint_without_a_likelihood_is_certain(tmp_path: Path):
    path = tmp_path / 'predictions.csv'
    path.write_text(
        'scorer,net,net,net,net,net,net,net,net,net\n'
        'bodyparts,snout,snout,snout,ear,ear,ear,tail,tail,tail\n'
        'coords,x,y,likelihood,x,y,likelihood,x,y,likelihood\n'
        '0,1,2,0.01,3,4,,,,0.5\n'
        '1,1,2,,3,4,,,,\n'
    )
    labels = read_labels(path)

    assert labels.persons[0].visibility.tolist() == [2, 2, 0]
    assert labels.persons[0].scores.tolist() == [0.01, 1, 0]
    assert labels.persons[1].scores is None
    assert accept_predictions(labels, 0.8).persons[0].given.tolist() == [False, True, False]


def test_one_animal_is_written_as_deeplabcut_writes_it(tmp_path: Path):
    persons = label(12), label(3, visibility=[0, 1])
    write_labels(video(*persons), tmp_path / 'out.csv', 'deeplabcut')

    assert (tmp_path / 'out.csv').read_text() == (
        'scorer,,,annotator,annotator,annotator,annotator\n'
        'bodyparts,,,snout,snout,ear,ear\n'
        'coords,,,x,y,x,y\n'
        'labeled-data,monday,img0003.png,,,3.0,4.0\n'
        'labeled-data,monday,img0012.png,1.5,2.25,3.0,4.0\n'
    )


@pytest.mark.parametrize(
    ('names', 'written'),
    [
        # DeepLabCut extracts img07.png from a video of up to 100 frames, img00007.png from one of
        # more than 10,000; the rows of other frames are named in the same way.
        ({3: '', 7: 'img07.png', 12: ''}, ['img03.png', 'img07.png', 'img12.png']),
        ({3: '', 7: 'img00007.png'}, ['img00003.png', 'img00007.png']),
        ({3: '', 7: 'img7.png', 12: ''}, ['img03.png', 'img07.png', 'img12.png']),
        ({3: '', 7: 'shot_7.jpg'}, ['img0003.png', 'img0007.png']),
        # These names may be times, and those tell their frames.
        ({1: 'take_2.001.png', 101: 'take_2.101.png'}, ['img0001.png', 'img0101.png']),
        ({0: 'clip_0.5.png', 1: 'clip_1.5.png'}, ['img0000.png', 'img0001.png']),
        ({3: 'shot-3.jpg', 12: 'shot-12.jpg'}, ['shot-3.jpg', 'shot-12.jpg']),
    ],
)
def test_rows_are_named_by_their_frames(tmp_path: Path, names: dict[int, str], written: list[str]):
    frames = tuple(VideoFrame(i, name and f'raw/{name}') for i, name in names.items())
    labels = VideoLabels('monday', SKELETON, frames, tuple(label(index) for index in names))
    write_labels(labels, tmp_path / 'out.csv', 'deeplabcut')
    rows = (tmp_path / 'out.csv').read_text().splitlines()[3:]

    assert [row.split(',')[:3] for row in rows] == [
        ['labeled-data', 'monday', name] for name in written
    ]


def test_several_animals_are_written_with_their_names(tmp_path: Path):
    names = {0: 'left', 4: ''}
    persons = [label(3, track, extra={'track_name': name}) for track, name in names.items()]
    write_labels(video(*persons), tmp_path / 'out.csv', 'deeplabcut')
    back = read_labels(tmp_path / 'out.csv')

    assert [p.extra['track_name'] for p in back.persons] == ['left', 'individual4']
    assert [p.keypoints.tolist() for p in back.persons] == [[[1.5, 2.25], [3, 4]]] * 2
    with pytest.warns(InputWarning, match=r'lp.csv holds 2 animals, but Lightning Pose reads'):
        write_labels(video(*persons), tmp_path / 'lp.csv', 'lightning-pose')

    # People without an identity take the columns of those who are not there.
    persons = [label(3, None), label(3, None), label(12, None)]
    write_labels(video(*persons), tmp_path / 'out.csv', 'deeplabcut')
    back = read_labels(tmp_path / 'out.csv')
    assert [(p.frame_index, p.track_id) for p in back.persons] == [(3, 0), (3, 1), (12, 0)]


def test_what_belongs_into_the_config_lies_beside(tmp_path: Path):
    write_labels(video(label(3, 0), label(3, 1)), tmp_path / 'out.csv', 'deeplabcut')

    assert yaml.safe_load((tmp_path / 'out_config.yaml').read_text()) == {
        'scorer': 'annotator',
        'multianimalproject': True,
        'individuals': ['individual0', 'individual1'],
        'multianimalbodyparts': ['snout', 'ear'],
        'uniquebodyparts': [],
        'bodyparts': 'MULTI!',
        'skeleton': [['snout', 'ear']],
    }
