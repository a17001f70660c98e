"""Corrected poses are written back into their file, where all else keeps its digits."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.constants import LABEL_FORMATS, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.labels.rewriting import LabelRewriter
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking import assign_track_ids
from support.label_documents import DOCUMENTS
from support.label_samples import person

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')

SIZE = (640, 480)
JOINTS = ('nose', 'neck', 'hip')
PREDICTIONS = """scorer,net,net,net,net,net,net,net,net,net
bodyparts,nose,nose,nose,neck,neck,neck,hip,hip,hip
coords,x,y,likelihood,x,y,likelihood,x,y,likelihood
0,10.10,20.50,0.990,30.25,40,0.5,,,
1,11.123456789,21.5,1e-3,31.25,41,0.50,50.0,60.0,0.7
"""
COCO = """{
  "info": {"note": "1, 2 and 3"},
  "images": [{"id": 7, "file_name": "a/0.jpg", "frame_index": 0, "width": 640, "height": 480},
             {"id": 8, "file_name": "a/1.jpg", "frame_index": 1, "width": 640, "height": 480}],
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 1, "track_id": 5, "area": 1.50,
     "keypoints": [10.10, 20.0, 2, 30, 40, 1, 0, 0, 0], "bbox": [5, 6.0, 70, 80]},
    {"id": 2, "image_id": 7, "category_id": 1, "track_id": 6,
     "keypoints": [100.5, 200, 2, 0, 0, 0, 1, 2, 2]},
    {"id": 3, "image_id": 8, "category_id": 1, "track_id": 5,
     "keypoints": [10.10, 20.0, 2, 30, 40, 1, 3, 4, 2]}
  ],
  "categories": [{"id": 1, "name": "person", "keypoints": ["nose", "neck", "hip"]}]
}
"""


def video() -> VideoLabels:
    """Return two people in three frames, estimated, all joints in different places."""
    rng = np.random.default_rng(0)
    frames = tuple(
        VideoFrame(i, file_name=f'clip/{i:06d}.jpg', image_id=i, width=640, height=480)
        for i in range(3)
    )
    people = [
        person(
            frame,
            track,
            keypoints=rng.uniform(20, 400, (3, 2)).round(3),
            visibility=[2, 2, 2],
            scores=np.array([0.9, 0.8, 0.25]),
            bbox=np.array([10, 10, 400, 400.0]),
            source='propagated',
        )
        for frame in range(3)
        for track in range(2)
    ]
    return VideoLabels('clip', Skeleton(JOINTS), frames, tuple(people))


def read(path: Path) -> VideoLabels:
    return assign_track_ids(read_labels(path, size=SIZE))


def bytes_of(path: Path) -> dict[str, bytes]:
    """Return the content of a file, or of the files of a folder by name."""
    if path.is_file():
        return {'': path.read_bytes()}
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob('*') if f.is_file()}


def corrected(labels: VideoLabels) -> dict[int, dict[int, PersonLabel]]:
    """Return the tracks with another place of the neck of person 0 in frame 1."""
    tracks = labels.tracks()
    label = tracks[min(tracks)][1]
    keypoints = label.keypoints.copy()
    keypoints[1] = 123.5, 67.25
    scores = None if label.scores is None else np.where(np.arange(3) == 1, 1.0, label.scores)
    tracks[min(tracks)][1] = replace(label, keypoints=keypoints, scores=scores)
    return tracks


# Nobody writes poses in these.
READ_ONLY = ('posetrack17', 'mediapipe', 'sleap-analysis')


@pytest.fixture(params=[name for name in READ_FORMATS if name not in READ_ONLY])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of each format that is read and written."""
    form = LABEL_FORMATS[request.param]
    package = form.package or ('h5py' if request.param in ('deeplabcut-h5', 'movement') else '')
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f'{package} is not installed')
    path = tmp_path / f'clip{WRITE_FORMATS[request.param][0]}'
    time_of = (lambda frame: frame / 25.0) if form.times else None
    write_labels(video(), path, request.param, time_of, None)
    return path


def test_untouched_poses_are_untouched(file: Path, tmp_path: Path) -> None:
    labels = read(file)
    out = tmp_path / f'out{"".join(file.suffixes)}'
    LabelRewriter(file, labels, SIZE).write(out, labels.tracks())
    assert bytes_of(out).items() <= bytes_of(file).items()
    assert len(read(out).persons) == len(labels.persons)


def test_one_joint_is_changed_and_no_other(file: Path, tmp_path: Path) -> None:
    labels = read(file)
    out = tmp_path / f'out{"".join(file.suffixes) or file.name.removeprefix("clip")}'
    tracks = corrected(labels)
    LabelRewriter(file, labels, SIZE).write(out, tracks, lambda frame: frame / 25.0)
    after = read(out)
    assert len(after.persons) == len(labels.persons)
    for track, other in zip(tracks.values(), after.tracks().values(), strict=True):
        for frame, label in track.items():
            exact = frame != 1 or label.track_id != min(tracks)
            tolerance = 0 if exact else 1e-9
            assert other[frame].keypoints == pytest.approx(label.keypoints, abs=tolerance)
            if label.scores is not None and other[frame].scores is not None:
                assert other[frame].scores.tolist() == label.scores.tolist()


def test_text_around_a_changed_number_stays(tmp_path: Path) -> None:
    path, out = tmp_path / 'clipnet.csv', tmp_path / 'out.csv'
    path.write_bytes(PREDICTIONS.replace('\n', '\r\n').encode())
    labels = read(path)
    LabelRewriter(path, labels, SIZE).write(out, corrected(labels))
    expected = PREDICTIONS.replace('31.25,41,0.50', '123.5,67.25,1.0').replace('\n', '\r\n')
    assert out.read_bytes() == expected.encode()


def test_a_joint_is_added_to_and_removed_from_a_table(tmp_path: Path) -> None:
    path, out = tmp_path / 'clipnet.csv', tmp_path / 'out.csv'
    path.write_text(PREDICTIONS)
    labels = read(path)
    (track,) = labels.tracks().values()
    keypoints = track[0].keypoints.copy()
    keypoints[2] = 7, 8.5
    added = replace(
        track[0],
        keypoints=keypoints,
        visibility=np.array([0, 2, 2]),
        scores=np.array([0, 0.5, 1]),
        keypoint_sources=None,
    )
    LabelRewriter(path, labels, SIZE).write(out, {0: {**track, 0: added}})
    assert out.read_text() == PREDICTIONS.replace(
        '0,10.10,20.50,0.990,30.25,40,0.5,,,', '0,,,,30.25,40,0.5,7,8.5,1'
    )


def test_identities_of_a_json_file_are_exchanged_as_such(tmp_path: Path) -> None:
    path, out = tmp_path / 'a.json', tmp_path / 'out.json'
    path.write_text(COCO)
    labels = read(path)
    tracks = labels.tracks()
    first, second = tracks[5][0], tracks[6][0]
    tracks[5][0], tracks[6][0] = replace(second, track_id=5), replace(first, track_id=6)
    LabelRewriter(path, labels, SIZE).write(out, tracks)
    swapped = COCO.replace('"track_id": 5, "area"', '"track_id": X, "area"')
    swapped = swapped.replace('"track_id": 6', '"track_id": 5').replace('X', '6')
    assert out.read_text() == swapped


def test_people_of_a_json_file_without_track_ids_are_exchanged_by_its_other_field(
    tmp_path: Path,
) -> None:
    path, out = tmp_path / 'a.json', tmp_path / 'out.json'
    path.write_text(COCO.replace('track_id', 'instance_id'))
    labels = read(path)
    LabelRewriter(path, labels, SIZE).write(out, exchanged(labels, 0))
    ids = [annotation['instance_id'] for annotation in json.loads(out.read_text())['annotations']]
    assert ids == [6, 5, 5]


def test_people_whom_a_file_names_by_text_are_not_exchanged_in_silence(tmp_path: Path) -> None:
    path, out = tmp_path / 'a.json', tmp_path / 'out.json'
    path.write_text(COCO.replace('"track_id": 5', '"track_id": "five"'))
    labels = read(path)
    tracks = labels.tracks()
    named, other = (i for i in tracks if 0 in tracks[i])
    first, second = tracks[named][0], tracks[other][0]
    tracks[named][0] = replace(second, track_id=named)
    tracks[other][0] = replace(first, track_id=other)
    with pytest.raises(InputError, match=r'names people by text, .* export the labels instead'):
        LabelRewriter(path, labels, SIZE).write(out, tracks)
    assert not out.exists()


def results(field: str, *identities: object) -> str:
    """Return two people in each of two frames as COCO results."""
    stated = iter(identities)
    return json.dumps(
        [
            {
                'image_id': frame,
                'keypoints': [10.5 + 100 * place, 20.5, 0.5, 30.5, 40.5 + frame, 0.75],
                **({field: next(stated)} if field else {}),
            }
            for frame in (0, 1)
            for place in (0, 1)
        ]
    )


def exchanged(labels: VideoLabels, frame: int) -> dict[int, dict[int, PersonLabel]]:
    """Return the tracks with the two people exchanged in a frame."""
    tracks = labels.tracks()
    a, b = tracks
    first, second = tracks[a][frame], tracks[b][frame]
    tracks[a][frame], tracks[b][frame] = replace(second, track_id=a), replace(first, track_id=b)
    return tracks


@pytest.mark.parametrize(
    ('field', 'before', 'after'),
    [
        ('idx', (3, 4, 3, 4), (3, 4, 4, 3)),
        ('idx', ([3], [4], [3], [4]), ([3], [4], [4], [3])),
        ('id', (3, 4, 3, 4), (3, 4, 4, 3)),
    ],
)
def test_people_of_results_are_exchanged_in_the_field_that_names_them(
    tmp_path: Path, field: str, before: tuple, after: tuple
) -> None:
    path, out = tmp_path / 'clip.json', tmp_path / 'out.json'
    path.write_text(results(field, *before))
    labels = read(path)
    LabelRewriter(path, labels, SIZE).write(out, exchanged(labels, 1))
    assert json.loads(out.read_text()) == json.loads(results(field, *after))


@pytest.mark.parametrize(
    ('field', 'stated'), [('', ()), ('idx', (0, 0, 0, 0)), ('id', (1, 2, 3, 4))]
)
def test_people_whom_a_file_does_not_tell_apart_are_not_exchanged_in_silence(
    tmp_path: Path, field: str, stated: tuple
) -> None:
    path, out = tmp_path / 'clip.json', tmp_path / 'out.json'
    path.write_text(results(field, *stated))
    labels = read(path)
    with pytest.raises(InputError, match='does not number people, so person 0 in frame 1 cannot'):
        LabelRewriter(path, labels, SIZE).write(out, exchanged(labels, 1))
    assert not out.exists()


def test_a_pose_that_is_taken_away_leaves_zeros(tmp_path: Path) -> None:
    path, out = tmp_path / 'a.json', tmp_path / 'out.json'
    path.write_text(COCO)
    labels = read(path)
    tracks = labels.tracks()
    del tracks[6][0]
    LabelRewriter(path, labels, SIZE).write(out, tracks)
    gone = COCO.replace('100.5, 200, 2, 0, 0, 0, 1, 2, 2', '0.0, 0, 0, 0, 0, 0, 0, 0, 0')
    assert out.read_text() == gone


def test_repeated_poses_are_told_apart_by_their_order(tmp_path: Path) -> None:
    path, out = tmp_path / 'a.json', tmp_path / 'out.json'
    text = COCO.replace('0, 0, 0], "bbox"', '3, 4, 2], "bbox"')
    path.write_text(text)
    labels = read(path)
    LabelRewriter(path, labels, SIZE).write(out, corrected(labels))
    head, tail = text.split('"id": 3,')
    assert out.read_text() == head + '"id": 3,' + tail.replace('30, 40', '123.5, 67.25')


def test_people_exchanged_in_a_table_change_their_columns(tmp_path: Path) -> None:
    pytest.importorskip('h5py')
    path, out = tmp_path / 'clip.h5', tmp_path / 'out.h5'
    write_labels(video(), path, 'deeplabcut-h5')
    labels = read(path)
    tracks = labels.tracks()
    first, second = tracks[0][2], tracks[1][2]
    tracks[0][2], tracks[1][2] = replace(second, track_id=0), replace(first, track_id=1)
    LabelRewriter(path, labels, SIZE).write(out, tracks)
    after = read(out).tracks()
    assert (after[0][2].keypoints == second.keypoints).all()
    assert (after[1][2].keypoints == first.keypoints).all()
    assert (after[1][1].keypoints == labels.tracks()[1][1].keypoints).all()


def test_arrays_of_sleap_keep_all_other_numbers(tmp_path: Path) -> None:
    h5py = pytest.importorskip('h5py')
    path, out = tmp_path / 'clip.h5', tmp_path / 'out.h5'
    tracks = np.random.default_rng(1).uniform(20, 400, (2, 2, 3, 4))
    with h5py.File(path, 'w') as opened:
        opened['tracks'], opened['track_occupancy'] = tracks, np.ones((4, 2))
        opened['point_scores'] = np.full((2, 3, 4), 0.5)
        opened['node_names'] = [name.encode() for name in JOINTS]
        opened['track_names'] = [b'a', b'b']
    labels = read(path)
    LabelRewriter(path, labels, SIZE).write(out, corrected(labels))
    expected, scores = tracks.copy(), np.full((2, 3, 4), 0.5)
    expected[0, :, 1, 1], scores[0, 1, 1] = (123.5, 67.25), 1
    with h5py.File(out) as opened:
        assert (opened['tracks'][()] == expected).all()
        assert (opened['point_scores'][()] == scores).all()


def test_no_room_for_another_pose(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    path.write_text(COCO)
    labels = read(path)
    rewriter = LabelRewriter(path, labels, SIZE)
    people = [labels.tracks()[5][1]]
    rewriter.require_room(1, people)
    with pytest.raises(InputError, match='no room for another pose in frame 1'):
        rewriter.require_room(1, [*people, replace(people[0], track_id=6)])


def test_a_format_that_nobody_writes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(DOCUMENTS['mediapipe']))
    labels = read(path)
    with pytest.raises(InputError, match=re.escape('mediapipe, which cannot be written back')):
        LabelRewriter(path, labels, SIZE)
