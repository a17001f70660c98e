"""Need h5py, one of them sleap-io, else are skipped: `make test-sleap`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
from stdpose_mm.structures.propagated_labels import accept_predictions
from support.label_samples import sample

h5py = pytest.importorskip('h5py', reason='optional, see `make test-sleap`')
X = np.nan
# Axes frame, track, joint, xy: a snout and a tail of two mice; nobody is in frame 1.
POINTS = np.asarray(
    [
        [[[1, 2], [3, 4]], [[5, 6], [X, X]]],
        [[[X, X], [X, X]], [[X, X], [X, X]]],
        [[[7, 8], [9, 9.5]], [[X, X], [X, X]]],
    ]
)
SCORES = np.asarray([[[0.5, X], [0.25, X]], [[X, X], [X, X]], [[X, X], [X, X]]])


def analysis(path: Path, **changes: Any) -> Path:
    """Write a file as SLEAP's `File > Export Analysis HDF5` does: reversed axes without names."""
    content = {
        'tracks': POINTS.transpose(1, 3, 2, 0),
        'track_occupancy': np.ones((3, 2), np.uint8),
        'point_scores': SCORES.transpose(1, 2, 0),
        'track_names': [b'left', b'right'],
        'node_names': [b'snout', b'tail'],
        'edge_inds': [(0, 1)],
        'video_path': 'C:\\clips\\cage.mp4',
    }
    with h5py.File(path, 'w') as file:
        for name, value in {**content, **changes}.items():
            if value is not None:
                file[name] = value
    return path


def test_poses_tracks_and_scores_are_read_as_estimates(tmp_path: Path):
    path = analysis(tmp_path / 'a.h5')
    labels = read_labels(path)

    assert sniff_format(path) == 'sleap-analysis'
    assert (labels.name, labels.skeleton.limbs, [*labels]) == ('cage', ((0, 1),), [0, 1, 2])
    assert labels.skeleton.keypoint_names == ('snout', 'tail')
    assert [
        (p.frame_index, p.track_id, p.extra['track_name'], p.source) for p in labels.persons
    ] == [(0, 0, 'left', 'propagated'), (0, 1, 'right', 'propagated'), (2, 0, 'left', 'propagated')]
    first, second, third = labels.persons
    assert first.keypoints.tolist() == [[1, 2], [3, 4]]
    assert first.scores.tolist() == [0.5, 1]
    assert (second.keypoints.tolist(), second.visibility.tolist()) == ([[5, 6], [0, 0]], [2, 0])
    # A user instance has no scores.
    assert (third.keypoints.tolist(), third.scores) == ([[7, 8], [9, 9.5]], None)


def test_confident_joints_become_labels(tmp_path: Path):
    labels = accept_predictions(
        read_labels(analysis(tmp_path / 'a.h5', point_scores=np.full((2, 2, 3), 0.9))), 0.8
    )

    assert {p.source for p in labels.persons} == {'given'}


@pytest.mark.parametrize(
    ('changes', 'ids'),
    [
        ({'track_names': [b'4', b'2']}, [4, 2, 4]),
        # Without tracks, SLEAP writes one without a name.
        (
            {
                'track_names': np.empty(0),
                'tracks': POINTS.transpose(1, 3, 2, 0)[:1],
                'point_scores': SCORES.transpose(1, 2, 0)[:1],
            },
            [0, 0],
        ),
    ],
)
def test_track_ids(tmp_path: Path, changes: dict[str, Any], ids: list[int]):
    assert [p.track_id for p in read_labels(analysis(tmp_path / 'a.h5', **changes)).persons] == ids


def test_files_of_older_versions_name_neither_video_nor_limbs(tmp_path: Path):
    labels = read_labels(analysis(tmp_path / 'cage.h5', video_path=None, edge_inds=None))

    assert (labels.name, labels.skeleton.limbs, len(labels.persons)) == ('cage', (), 3)


@pytest.mark.parametrize(
    'axes', [('frame', 'track', 'node', 'xy'), ('xy', 'frame', 'node', 'track')]
)
def test_axes_have_the_order_that_the_file_states(tmp_path: Path, axes: tuple[str, ...]):
    expected = read_labels(analysis(tmp_path / 'a.h5'))
    known = ('frame', 'track', 'node', 'xy')
    with h5py.File(analysis(tmp_path / 'b.h5', tracks=None, point_scores=None), 'r+') as file:
        for name, array in (('tracks', POINTS), ('point_scores', SCORES)):
            stated = [axis for axis in axes if axis in known[: array.ndim]]
            file[name] = array.transpose([known.index(axis) for axis in stated])
            file[name].attrs['dims'] = json.dumps(stated)

    for found, of in zip(read_labels(tmp_path / 'b.h5').persons, expected.persons, strict=True):
        assert found.keypoints.tolist() == of.keypoints.tolist()
        assert (found.scores is None) == (of.scores is None)


def test_numbers_in_the_names_of_pictures_are_frames(tmp_path: Path):
    files = [f'pics/f_{number:05}.png'.encode() for number in (0, 15, 30)]
    labels = read_labels(analysis(tmp_path / 'a.h5', video_path=files))

    assert (labels.name, [p.frame_index for p in labels.persons]) == ('pics', [0, 0, 30])
    assert labels.frames[2].file_name == 'pics/f_00030.png'


def test_two_tracks_of_one_name_are_one_or_named(tmp_path: Path):
    names = [b'mouse', b'mouse']
    with pytest.warns(InputWarning, match=r"a\.h5: two tracks have the name 'mouse' in one frame"):
        labels = read_labels(analysis(tmp_path / 'a.h5', track_names=names))

    assert [p.track_id for p in labels.persons] == [0, 1, 0]


@pytest.mark.parametrize(
    ('changes', 'what'),
    [
        ({'point_scores': None}, 'Unable to'),
        ({'node_names': [b'snout']}, r'poses of shape \(3, 2, 2, 2\)'),
        ({'track_names': [b'a', b'b', b'c']}, 'poses of shape'),
        ({'tracks': POINTS}, 'poses of shape'),
        ({'tracks': POINTS.transpose(1, 3, 2, 0) * 1e7}, 'beyond'),
        ({'tracks': np.full((2, 2, 2, 3), np.inf)}, 'beyond'),
        ({'node_names': [b'snout', b'snout']}, 'snout'),
        ({'node_names': [b'snout', b'\xff']}, 'decode'),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, changes: dict[str, Any], what: str):
    path = analysis(tmp_path / 'a.h5', **changes)

    with pytest.raises(InputError, match=rf'a\.h5 is no analysis file of SLEAP: .*{what}'):
        read_all_labels(path)


def test_other_hdf5_files_are_not_taken_for_it(tmp_path: Path):
    write_labels(sample(), tmp_path / 'deeplabcut.h5', 'deeplabcut-h5')
    (tmp_path / 'damaged.h5').write_bytes(b'\x89HDF\r\n\x1a\nrest')

    assert sniff_format(tmp_path / 'deeplabcut.h5') == 'deeplabcut-h5'
    with pytest.raises(InputError, match=r'damaged\.h5 is HDF5 but not'):
        read_all_labels(tmp_path / 'damaged.h5')


@pytest.mark.parametrize('preset', ['matlab', 'standard'])
def test_what_sleap_io_exports_is_what_the_project_holds(tmp_path: Path, preset: str):
    sio = pytest.importorskip('sleap_io', reason='optional, see `make test-sleap`')
    skeleton = sio.Skeleton(['snout', 'tail'], edges=[('snout', 'tail')])
    video, tracks = sio.Video('cage.mp4', open_backend=False), [sio.Track('a'), sio.Track('b')]
    frames = [
        sio.LabeledFrame(
            video,
            frame,
            [
                sio.PredictedInstance.from_numpy(
                    np.asarray([(frame, place), (place, 9.5)]),
                    skeleton=skeleton,
                    point_scores=np.asarray([0.5, 0.25]),
                    score=0.5,
                    track=tracks[place - 1],
                )
                for place in (1, 2)
            ],
        )
        for frame in (2, 5)
    ]
    project = sio.Labels(frames, [video], skeletons=[skeleton], tracks=tracks)
    sio.save_slp(project, str(tmp_path / 'a.slp'), verbose=False)
    sio.save_analysis_h5(project, str(tmp_path / 'a.h5'), preset=preset)
    expected, labels = read_labels(tmp_path / 'a.slp'), read_labels(tmp_path / 'a.h5')

    assert (labels.name, labels.skeleton) == (expected.name, expected.skeleton)
    for found, of in zip(labels.persons, expected.persons, strict=True):
        for field in ('frame_index', 'track_id', 'source', 'extra'):
            assert getattr(found, field) == getattr(of, field)
        assert found.keypoints.tolist() == of.keypoints.tolist()
        assert found.scores.tolist() == of.scores.tolist()
