"""Need sleap-io, else are skipped; docs/guide/label_formats.md says how to run them."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels
from stdpose_mm.tracking import assign_track_ids
from support.foreign_labels import write_picture
from support.label_samples import person, sample

sio = pytest.importorskip('sleap_io', reason='optional, see `make test-sleap`')
h5py = pytest.importorskip('h5py', reason='comes with sleap-io')
HDF5 = b'\x89HDF\r\n\x1a\n'


def placed(skeleton: Any, *points: Sequence[float], **fields: Any) -> Any:
    return sio.Instance.from_numpy(np.asarray(points, float), skeleton=skeleton, **fields)


def predicted(skeleton: Any, scores: Sequence[float], *points: Any, **fields: Any) -> Any:
    return sio.PredictedInstance.from_numpy(
        np.asarray(points, float),
        skeleton=skeleton,
        point_scores=np.asarray(scores),
        score=0.5,
        **fields,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two mice in monday.mp4, one of them also in tuesday's pictures; made with sleap-io alone."""
    skeleton = sio.Skeleton(['snout', 'ear', 'tail'], edges=[('snout', 'ear'), ('snout', 'tail')])
    monday = sio.Video('C:\\clips\\monday.mp4', open_backend=False)
    monday.backend_metadata['shape'] = (50, 480, 640, 1)
    pictures = [f'clips/tuesday/{name}.png' for name in 'abc']
    tuesday = sio.Video(pictures, open_backend=False)
    tuesday.backend_metadata.update(type='ImageVideo', filename=pictures[0], filenames=pictures)
    left, right = sio.Track('left mouse'), sio.Track('right mouse')

    hidden = placed(skeleton, (1.5, 2), (3, 4), (np.nan, np.nan), track=left)
    hidden.points['visible'][1] = False
    guess = predicted(skeleton, [0.5] * 3, *[(70, 80)] * 3)
    people = [
        predicted(skeleton, [0.9] * 3, *[(60, 60)] * 3, track=left),
        hidden,
        placed(skeleton, (10, 20), (11, 21), (12, 22.25), track=right),
        guess,
        placed(skeleton, *[(71, 81)] * 3, from_predicted=guess),
    ]
    alone = predicted(skeleton, [0.75, 0, 0.5], (7, 8), (np.nan, np.nan), (9, 9), track=right)
    frames = [
        sio.LabeledFrame(monday, 30, [alone]),
        sio.LabeledFrame(monday, 4, people),
        sio.LabeledFrame(monday, 9, [], is_negative=True),
        sio.LabeledFrame(tuesday, 2, [placed(skeleton, (1, 1), (2, 2), (3, 3), track=left)]),
    ]
    tracks = [left, right]
    labels = sio.Labels(frames, [monday, tuesday], skeletons=[skeleton], tracks=tracks)
    sio.save_slp(labels, str(tmp_path / 'mice.slp'), verbose=False)
    return tmp_path / 'mice.slp'


@pytest.fixture
def monday(project: Path) -> VideoLabels:
    return read_labels(project, video='monday')


def at(labels: VideoLabels, frame_index: int, track_id: int | None) -> PersonLabel:
    (found,) = [p for p in labels.persons if (p.frame_index, p.track_id) == (frame_index, track_id)]
    return found


def test_videos_frames_and_skeleton(project: Path):
    monday, tuesday = read_all_labels(project)

    assert sniff_format(project) == 'sleap'
    assert (monday.name, tuesday.name) == ('monday', 'tuesday')
    assert monday.skeleton.keypoint_names == ('snout', 'ear', 'tail')
    assert monday.skeleton.limbs == ((0, 1), (0, 2))
    assert [(frame.index, frame.is_labeled) for frame in monday.frames] == [
        (4, True),
        (9, True),
        (30, None),
    ]
    assert (monday.frames[0].width, monday.frames[0].height) == (640, 480)
    assert [(frame.index, frame.file_name) for frame in tuesday.frames] == [
        (2, 'clips/tuesday/c.png')
    ]


def test_people_are_in_their_frames_and_tracks_with_gaps(monday: VideoLabels):
    assert [(p.frame_index, p.track_id, p.source) for p in monday.persons] == [
        (4, 0, 'given'),
        (4, 1, 'given'),
        (4, None, 'given'),
        (30, 1, 'propagated'),
    ]
    assert at(monday, 30, 1).extra['track_name'] == 'right mouse'
    # Predictions that were corrected are left out.
    assert at(monday, 4, None).keypoints[0].tolist() == [71, 81]


def test_joints_that_are_missing_or_not_visible_are_not_labelled(monday: VideoLabels):
    mouse, prediction = at(monday, 4, 0), at(monday, 30, 1)

    assert mouse.visibility.tolist() == [2, 0, 0]
    assert mouse.keypoints.tolist() == [[1.5, 2], [0, 0], [0, 0]]
    assert mouse.scores is None
    assert prediction.keypoints.tolist() == [[7, 8], [0, 0], [9, 9]]
    assert prediction.scores.tolist() == [0.75, 0, 0.5]


def test_projects_before_format_1_1_count_pixels_from_the_corner(project: Path):
    with h5py.File(project, 'r+') as file:
        file['metadata'].attrs['format_id'] = 1.0
        instances = file['instances'][()]
        del file['instances']
        # Format 1.2 added the last field.
        older = [name for name in instances.dtype.names if name != 'tracking_score']
        packed = np.empty(len(instances), [(name, instances.dtype[name]) for name in older])
        for name in older:
            packed[name] = instances[name]
        file['instances'] = packed

    corner = at(read_labels(project, video='monday'), 4, 1)

    assert corner.keypoints.tolist() == [[9.5, 19.5], [10.5, 20.5], [11.5, 21.75]]


def test_written_projects_keep_poses_tracks_and_sources(tmp_path: Path):
    scores = np.asarray([0.25, 0, 0.5])
    persons = (
        person(3, 7),
        person(3, None),
        person(40, 7, source='propagated', scores=scores),
        person(40, 2, source='propagated'),
    )
    frames = (VideoFrame(3), VideoFrame(12, is_labeled=True), VideoFrame(40))
    write_labels(sample(frames=frames, persons=persons), tmp_path / 'a.slp', 'sleap')
    back = read_labels(tmp_path / 'a.slp')

    assert (back.name, back.skeleton) == ('clip', sample().skeleton)
    assert [*back] == [3, 12, 40]
    for found, written in zip(back.persons, persons, strict=True):
        for field in ('frame_index', 'track_id', 'source'):
            assert getattr(found, field) == getattr(written, field)
        # The third joint was occluded, which SLEAP does not know.
        assert found.visibility.tolist() == [2, 0, 2]
        assert found.keypoints.tolist() == [[10.5, 20], [0, 0], [30, 40.25]]
    assert back.persons[2].scores.tolist() == [0.25, 0, 0.5]
    assert back.persons[3].scores is None


def test_written_projects_name_the_pictures(tmp_path: Path):
    frames = tuple(VideoFrame(index, f'clip/{index}.jpg') for index in (10, 20, 30))
    write_labels(sample(frames=frames, persons=(person(30),)), tmp_path / 'a.slp', 'sleap')
    back = read_labels(tmp_path / 'a.slp')

    # The third of the pictures is not frame 2: they are a selection.
    assert [(frame.index, frame.file_name) for frame in back.frames] == [(30, 'clip/30.jpg')]


def test_written_projects_name_the_video_they_came_from(monday: VideoLabels, tmp_path: Path):
    write_labels(replace(monday, name='other'), tmp_path / 'a.slp', 'sleap')

    assert read_labels(tmp_path / 'a.slp').extra['video_fields'] == {
        'file_name': 'C:/clips/monday.mp4'
    }
    assert [path.name for path in tmp_path.iterdir() if 'partial' in path.name] == []


def test_damaged_projects_are_refused(tmp_path: Path):
    (tmp_path / 'damaged.slp').write_bytes(HDF5 + b'rest')
    with h5py.File(tmp_path / 'other.slp', 'w') as file:
        file['x'] = 1
    for name in ('damaged.slp', 'other.slp'):
        with pytest.raises(InputError, match=f'{name} is not a SLEAP project') as caught:
            read_all_labels(tmp_path / name, 'sleap')
        assert '\n' not in str(caught.value)


def write_project(path: Path, videos: Sequence[Any], *labelled: tuple[int, int, Sequence[Any]]):
    """Save a project; labelled are position of the video, frame and instances."""
    frames = [sio.LabeledFrame(videos[v], frame, [*people]) for v, frame, people in labelled]
    people = [one for frame in frames for one in frame.instances]
    skeletons = [*{id(one.skeleton): one.skeleton for one in people}.values()]
    tracks = [*{id(one.track): one.track for one in people if one.track}.values()]
    project = sio.Labels(frames, [*videos], skeletons=skeletons, tracks=tracks)
    sio.save_slp(project, str(path), verbose=False)
    return path


def clips(*names: str) -> list[Any]:
    return [sio.Video(name, open_backend=False) for name in names]


def poses(labels: VideoLabels) -> dict[int, list[list[list[float]]]]:
    return {
        index: [p.keypoints.tolist() for p in labels[index]] for index in labels if labels[index]
    }


MOUSE = sio.Skeleton(['snout', 'tail'])
REVERSED = sio.Skeleton(['Tail', 'snout'])
BALL = sio.Skeleton(['ball'])
RAT = sio.Skeleton(['snout', 'back', 'tail'])


def test_skeletons_with_the_same_joints_are_one(tmp_path: Path):
    people = placed(MOUSE, (1, 2), (3, 4)), placed(REVERSED, (7, 8), (5, 6))
    path = write_project(
        tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, people[:1]), (0, 9, people[1:])
    )
    labels = read_labels(path)

    assert labels.skeleton.keypoint_names == ('snout', 'tail')
    assert poses(labels) == {0: [[[1, 2], [3, 4]]], 9: [[[5, 6], [7, 8]]]}
    # Nobody has named the two skeletons, so that they do not tell two animals apart.
    assert assign_track_ids(labels).track_ids == (0,)


@pytest.mark.parametrize(
    ('names', 'subjects'),
    [(('left', 'right'), 2), (('Skeleton-0', 'Skeleton-1'), 1), (('hand', 'hand'), 1)],
)
def test_skeletons_with_names_are_classes(tmp_path: Path, names: tuple[str, str], subjects: int):
    left, right = (sio.Skeleton(['wrist', 'thumb'], name=name) for name in names)
    path = write_project(
        tmp_path / 'a.slp',
        clips('clip.mp4'),
        (0, 0, [placed(left, (1, 2), (3, 4))]),
        (0, 9, [placed(right, (1, 2), (3, 4))]),
    )

    assert len(assign_track_ids(read_labels(path)).track_ids) == subjects


def test_a_frame_without_the_chosen_skeleton_is_not_checked(tmp_path: Path):
    mouse, ball = sio.Skeleton(['snout', 'tail'], name='mouse'), sio.Skeleton(['b'], name='ball')
    people = placed(mouse, (1, 2), (3, 4)), placed(ball, (5, 6))
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, people), (0, 9, people[1:]))

    # Nobody has said of frame 9 that there is no mouse.
    mice = read_labels(path, category='mouse')
    assert [frame.is_labeled for frame in mice.frames] == [True, None]


def test_skeletons_of_one_name_with_different_joints_are_told_apart(tmp_path: Path):
    people = placed(MOUSE, (1, 2), (3, 4)), placed(BALL, (5, 6))
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, people))

    with pytest.raises(InputError, match=r"\('skeleton', 'skeleton 1'\), give the category"):
        read_labels(path)
    assert poses(read_labels(path, category='skeleton 1')) == {0: [[[5, 6]]]}


def package(path: Path, *groups: int, source: bool = True) -> Path:
    """A package with labels on two frames of each video but the last, and with these groups.

    SLEAP before 1.5 leaves out the groups of videos without labels, and keeps the numbers.
    """
    videos = []
    for number in range(len(groups)):
        folder = path.parent / f'v{number}'
        folder.mkdir()
        files = [str(write_picture(folder / f'{i}.png')) for i in range(3)]
        videos.append(sio.Video(files))
    labelled = [
        (v, frame, [placed(MOUSE, (10 * v + 1, frame), (3, 4))])
        for v in range(len(groups))
        for frame in ((0, 2) if v < len(groups) - 1 else (1,))
    ]
    frames = [sio.LabeledFrame(videos[v], frame, people) for v, frame, people in labelled]
    project = sio.Labels(frames, videos, skeletons=[MOUSE])
    sio.save_slp(project, str(path), embed='all', verbose=False)
    with h5py.File(path, 'r+') as file:
        for number in reversed(range(len(groups))):
            file.move(f'video{number}', f'video{groups[number]}')
            if not source:
                del file[f'video{groups[number]}/source_video']
        texts = file['videos_json'][()]
        del file['videos_json']
        renamed = [
            text.decode().replace(f'video{number}/video', f'video{group}/video').encode()
            for (number, group), text in zip(enumerate(groups), texts, strict=True)
        ]
        file['videos_json'] = np.asarray(renamed)
        table = file['frames'][()]
        table['video'] = [groups[number] for number in table['video']]
        file['frames'][...] = table
    return path


@pytest.mark.parametrize('groups', [(0, 1, 2), (0, 2, 3), (1, 4, 9)])
@pytest.mark.parametrize('has_pictures', [True, False])
def test_labels_of_a_package_stay_with_their_video(
    tmp_path: Path, groups: tuple[int, ...], has_pictures: bool
):
    path = package(tmp_path / 'a.pkg.slp', *groups)
    if not has_pictures:
        for folder in ('v0', 'v1', 'v2'):
            shutil.rmtree(tmp_path / folder)
    labels = read_all_labels(path)

    assert {video.name: poses(video) for video in labels} == {
        'v0': {0: [[[1, 0], [3, 4]]], 2: [[[1, 2], [3, 4]]]},
        'v1': {0: [[[11, 0], [3, 4]]], 2: [[[11, 2], [3, 4]]]},
        'v2': {1: [[[21, 1], [3, 4]]]},
    }


def test_a_video_without_labels_in_a_sparse_package_stays_without(tmp_path: Path):
    path = package(tmp_path / 'a.pkg.slp', 0, 2, 3)
    with h5py.File(path, 'r+') as file:
        table = file['frames'][()]
        del file['frames']
        # The last video has suggested frames only.
        file['frames'] = table[table['video'] < 3]

    assert [sorted(poses(video)) for video in read_all_labels(path)] == [[0, 2], [0, 2], []]


def test_videos_of_a_package_that_does_not_name_them_have_numbers(tmp_path: Path):
    path = package(tmp_path / 'a.pkg.slp', 0, 3, source=False)

    assert [video.name for video in read_all_labels(path)] == ['video0', 'video3']
    assert sorted(poses(read_labels(path, video='video3'))) == [1]


def test_a_project_is_named_by_its_files_and_not_by_others_beside_it(tmp_path: Path):
    """sleap-io opens a file of the same name beside the project, for both videos."""
    write_picture(tmp_path / '1.png')
    path = package(tmp_path / 'a.pkg.slp', 0, 5)
    with h5py.File(path, 'r+') as file:
        for group, day in ((0, 'monday'), (5, 'tuesday')):
            fields = {
                'filename': f'/data/{day}/1.png',
                'backend': {'filename': f'/data/{day}/1.png'},
            }
            file[f'video{group}/source_video'].attrs['json'] = json.dumps(fields)
            if 'json' in file[f'video{group}/source_video']:
                del file[f'video{group}/source_video/json']

    names = [video.name for video in read_all_labels(path)]
    assert names == ['/data/monday/1.png', '/data/tuesday/1.png']


def test_two_entries_of_one_video_are_joined(tmp_path: Path):
    people = [placed(MOUSE, (x, 2), (3, 4)) for x in range(4)]
    path = write_project(
        tmp_path / 'a.slp',
        clips('/data/clip.mp4', '/data/other.mp4', '/data/clip.mp4'),
        *((0, 0, people[:1]), (1, 5, people[1:2]), (2, 30, people[2:3])),
    )
    clip, other = read_all_labels(path)

    assert (clip.name, [*poses(clip)]) == ('clip', [0, 30])
    assert (other.name, [*poses(other)]) == ('other', [5])


def picture_list(*names: str) -> Any:
    files = [f'shots/{name}.png' for name in names]
    video = sio.Video(files, open_backend=False)
    video.backend_metadata.update(type='ImageVideo', filename=files[0], filenames=files)
    return video


def test_two_lists_of_pictures_of_one_folder_are_joined(tmp_path: Path):
    videos = [picture_list('f01', 'f02', 'f03'), picture_list('f03', 'f09')]
    people = [placed(MOUSE, (x, 2), (3, 4)) for x in range(3)]
    path = write_project(
        tmp_path / 'a.slp', videos, (0, 1, people[:1]), (1, 0, people[1:2]), (1, 1, people[2:])
    )
    labels = read_labels(path)

    assert [(frame.index, frame.file_name) for frame in labels.frames] == [
        (2, 'shots/f02.png'),
        (3, 'shots/f03.png'),
        (9, 'shots/f09.png'),
    ]
    assert [p.keypoints[0, 0] for p in labels.persons] == [0, 1, 2]


def test_two_entries_with_labels_on_one_frame_are_refused(tmp_path: Path):
    videos = clips('/data/clip.mp4', '/data/clip.mp4')
    people = [placed(MOUSE, (x, 2), (3, 4)) for x in range(2)]
    path = write_project(tmp_path / 'a.slp', videos, (0, 7, people[:1]), (1, 7, people[1:]))

    with pytest.raises(InputError, match=r"'clip' is in the project twice, .* frame 7 in both"):
        read_all_labels(path)


def test_other_videos_are_read_beside_one_that_is_labelled_twice(tmp_path: Path):
    videos = clips('/data/clip.mp4', '/data/clip.mp4', '/data/other.mp4')
    people = [placed(MOUSE, (x, 2), (3, 4)) for x in range(3)]
    frames = [(0, 7, people[:1]), (1, 7, people[1:2]), (2, 5, people[2:])]
    path = write_project(tmp_path / 'a.slp', videos, *frames)

    with pytest.warns(InputWarning, match=r"'clip' is in the project twice, .*; it is left out"):
        labels = read_labels(path, video='other')
    assert poses(labels) == {5: [[[2, 2], [3, 4]]]}


def test_labels_and_predictions_of_one_frame_in_two_entries_are_joined(tmp_path: Path):
    guess = predicted(MOUSE, [0.5] * 2, (9, 9), (9, 9), track=sio.Track('m'))
    mouse = placed(MOUSE, (1, 2), (3, 4), track=sio.Track('m'))
    videos = clips('/data/clip.mp4', '/data/clip.mp4')
    path = write_project(tmp_path / 'a.slp', videos, (0, 7, [mouse]), (1, 7, [guess]))

    # The prediction has the name of the corrected instance.
    assert poses(read_labels(path)) == {7: [[[1, 2], [3, 4]]]}


@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
def test_two_tracks_of_one_name_that_never_meet_are_one_subject(tmp_path: Path):
    first, other, second = sio.Track('mouse'), sio.Track('rat'), sio.Track('mouse')
    path = write_project(
        tmp_path / 'a.slp',
        clips('clip.mp4'),
        (0, 0, [placed(MOUSE, (1, 2), (3, 4), track=first)]),
        (0, 5, [placed(MOUSE, (1, 2), (3, 4), track=other)]),
        (0, 9, [placed(MOUSE, (1, 2), (3, 4), track=second)]),
    )
    labels = read_labels(path)

    assert [p.track_id for p in labels.persons] == [0, 1, 0]
    assert [p.extra['track_name'] for p in labels.persons] == ['mouse', 'rat', 'mouse']


def test_two_tracks_of_one_name_in_one_frame_are_two_subjects(tmp_path: Path):
    people = [placed(MOUSE, (x, 2), (3, 4), track=sio.Track('mouse')) for x in range(2)]
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, people), (0, 9, people[1:]))

    with pytest.warns(InputWarning, match=r"two tracks have the name 'mouse' in one frame"):
        assert [p.track_id for p in read_labels(path).persons] == [0, 1, 1]


def test_a_frame_that_is_in_a_project_twice_is_read_once(tmp_path: Path):
    (video,) = clips('a.mp4')
    skeleton, track = sio.Skeleton(['nose', 'hand']), sio.Track('ann')
    frame = (0, 4, [placed(skeleton, (5, 6), (7, 8), track=track)])
    path = write_project(tmp_path / 'a.slp', [video], frame, frame)

    with pytest.warns(InputWarning, match='left out 1 entry repeating another one exactly'):
        (person,) = read_labels(path).persons
    assert (person.frame_index, person.keypoints.tolist()) == (4, [[5, 6], [7, 8]])


def test_joints_that_nobody_has_clicked_are_not_labelled(tmp_path: Path):
    mouse, default = (placed(MOUSE, (1, 2), (10, 10)) for _ in range(2))
    mouse.points['complete'] = [True, False]
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, [mouse]), (0, 9, [default]))

    with pytest.warns(InputWarning, match=r"clip': left out 1 joint \(tail\) that nobody"):
        labels = read_labels(path)
    # If none is complete, as after an import, nothing tells which joints were clicked.
    assert [p.visibility.tolist() for p in labels.persons] == [[2, 0], [2, 2]]


@pytest.mark.filterwarnings('error::stdpose_mm.errors.InputWarning')
def test_hidden_joints_count_neither_as_clicked_nor_as_left_out(tmp_path: Path):
    hidden, shown = (placed(MOUSE, (1, 2), (10, 10)) for _ in range(2))
    for mouse, complete in ((hidden, [False, True]), (shown, [True, False])):
        mouse.points['complete'], mouse.points['visible'] = complete, [True, False]
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, [hidden]), (0, 9, [shown]))

    assert [p.visibility.tolist() for p in read_labels(path).persons] == [[2, 0], [2, 0]]


def test_one_animal_without_a_track_is_one_subject_however_far_it_moves(tmp_path: Path):
    labelled = [(0, 30 * i, [placed(MOUSE, (300 * i, 2), (300 * i + 3, 4))]) for i in range(3)]
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), *labelled)

    assert assign_track_ids(read_labels(path)).track_ids == (0,)


def test_cropped_videos_are_refused(tmp_path: Path):
    pictures = [str(write_picture(tmp_path / f'{i}.png')) for i in range(2)]
    videos = [sio.Video(pictures).crop((8, 8, 40, 40))]
    path = write_project(tmp_path / 'a.slp', videos, (0, 0, [placed(BALL, (1, 1))]))

    with pytest.raises(InputError, match='is cropped within the project'):
        read_all_labels(path, 'sleap')


def test_an_instance_without_a_visible_point_is_nobody(tmp_path: Path):
    mouse, ghost = placed(MOUSE, (1, 2), (3, 4)), placed(MOUSE, (1, 1), (1, 1))
    ghost.points['visible'] = False
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, [mouse, ghost]))

    with pytest.warns(InputWarning, match=r'slp: left out 1 entry with neither a joint nor a box'):
        assert len(read_labels(path).persons) == 1


@pytest.mark.parametrize(
    ('move', 'confidence', 'given', 'scores'),
    [
        (1, (0.5, 0.25, 0.75), [False, True, False], [0.5, 1, 0.75]),
        (1, (0.01, 0.25, np.nan), [False, True, False], [0.01, 1, 1]),
        # The one score is that of the joint that was moved, to which it no longer belongs.
        (1, (np.nan, 0.25, np.nan), [False, True, False], None),
        (slice(None), (0.01, 0.25, np.nan), [True] * 3, [1, 1, 1]),
        # It was accepted as it is.
        (slice(0), (0.5, 0.25, 0.75), [True] * 3, None),
    ],
)
def test_of_a_corrected_prediction_the_moved_joints_are_given(
    tmp_path: Path,
    move: int | slice,
    confidence: Sequence[float],
    given: list[bool],
    scores: list[float] | None,
):
    """SLEAP's editor makes a user instance of it, on a double click."""
    points = np.asarray([(1, 2), (3, 4), (5, 6)], float)
    guess = predicted(RAT, confidence, *points)
    user = placed(RAT, *points, from_predicted=guess)
    user.points['complete'] = False
    user.points['xy'][move] += 1
    user.points['complete'][move] = True
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, [guess, user]))
    (mouse,) = read_labels(path).persons

    assert mouse.source == 'given'
    assert mouse.keypoint_sources.tolist() == ['given' if g else 'propagated' for g in given]
    points[move] += 1
    assert mouse.keypoints.tolist() == points.tolist()
    assert (None if mouse.scores is None else mouse.scores.tolist()) == scores


@pytest.mark.parametrize(
    ('confidence', 'scores'), [((0.01, np.nan, 0.5), [0.01, 1, 0]), ((np.nan, np.nan, 0.5), None)]
)
def test_of_a_prediction_only_joints_without_a_score_are_certain(
    tmp_path: Path, confidence: Sequence[float], scores: list[float] | None
):
    # The tail has no place.
    guess = predicted(RAT, confidence, (1, 2), (3, 4), (np.nan, np.nan))
    path = write_project(tmp_path / 'a.slp', clips('clip.mp4'), (0, 0, [guess]))
    (mouse,) = read_labels(path).persons

    assert mouse.visibility.tolist() == [2, 2, 0]
    assert (None if mouse.scores is None else mouse.scores.tolist()) == scores


@pytest.mark.parametrize(
    ('sources', 'visibility'),
    [
        (['given', 'propagated', 'given'], [2, 2, 2]),
        (['given', 'propagated', 'absent'], [2, 0, 0]),
        (['given', 'absent', 'propagated'], [2, 0, 2]),
    ],
)
def test_labels_with_given_and_propagated_joints_come_back(
    tmp_path: Path, sources: list[str], visibility: list[int]
):
    mixed = PersonLabel(
        0,
        np.asarray([[1.5, 2], [3, 4], [5, 6.25]]),
        np.asarray(visibility),
        track_id=0,
        keypoint_sources=np.asarray(sources),
    )
    write_labels(sample(persons=(mixed,)), tmp_path / 'a.slp', 'sleap')
    (back,) = read_labels(tmp_path / 'a.slp').persons

    assert back.keypoint_sources.tolist() == sources
    assert back.keypoints.tolist() == mixed.keypoints.tolist()
    assert back.visibility.tolist() == visibility
