"""What a format holds comes back to the last digit, and nothing is given that nobody gave."""

from __future__ import annotations

import builtins
import contextlib
import csv
import importlib
import importlib.util
import io
import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.constants import LABEL_FORMATS, READ_FORMATS
from stdpose_mm.io.labels import read_all_labels, read_labels, write_labels
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels, pose_extent
from support.foreign_labels import write_json
from support.label_documents import DOCUMENTS
from support.label_samples import content, for_placed_labels, person, sample

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning'),
]


@dataclass(frozen=True)
class Held:
    """What a format holds of a joint besides its place.

    Args:
        flags: Whether a joint is occluded.
        sources: Whose source it holds: of each 'joint', of the whole 'file', or of none.
        scores: The scores; a number is the lowest one, and 1 stands for an unknown score.
        tracks: Whether track ids come back, and not only their order.
        frames: Whether frames without labels come back.
        names: Whether joints have names.
        boxes: Largest difference of the boxes; None if they are not held.
        package: Module without which the format cannot be used.
    """

    flags: bool = False
    sources: str = ''
    scores: float | bool = False
    tracks: bool = True
    frames: bool = True
    names: bool = True
    boxes: float | None = None
    package: str = ''


EVERYTHING = Held(flags=True, sources='joint', scores=True, boxes=0)
TABLE = Held(sources='file', tracks=False, frames=False)
HELD = {
    # PoseTrack18 and COCO hold even more.
    'posetrack21': EVERYTHING,
    'cvat': replace(EVERYTHING, frames=False, boxes=None),
    'mmpose': Held(scores=-np.inf, boxes=1e-3),
    'coco-results': Held(scores=-np.inf, boxes=0, frames=False, names=False),
    # OpenPose's confidence of 0 says that a joint was not found.
    'openpose': Held(scores=1e-6, names=False),
    'deeplabcut': TABLE,
    'deeplabcut-h5': replace(TABLE, package='h5py'),
    'lightning-pose': replace(TABLE, flags=True),
    # The width of a box is that between two corners.
    'labelme': Held(flags=True, sources='joint', boxes=1e-9),
    'sleap': Held(sources='joint', frames=False, package='sleap_io'),
}


def written(labels: VideoLabels, folder: Path, format: str) -> Path:
    path = folder / f'clip{LABEL_FORMATS[format].suffixes[0]}'
    # Every label of CVAT is a key frame.
    write_labels(labels, path, format, cvat_tolerance=None)
    return path


def is_found(label: PersonLabel, joint: int) -> bool:
    """Tell whether a joint is at none of the places, and has no score, that say it was missed."""
    scored = label.scores is None or label.scores[joint] >= 0
    return tuple(label.keypoints[joint]) not in ((0, 0), (-1, -1)) and scored


def joints_of(labels: VideoLabels, held: Held, is_read: bool = False) -> dict[tuple, tuple]:
    """Frame, track and joint -> place, flag, source and score as a format holds them."""
    placed = [p for p in labels.persons if p.has_joint]
    is_estimate = held.scores is not True and held.scores is not False
    columns = sorted({p.track_id for p in placed})
    all_given = not any(p.has_propagated_joint for p in placed)
    joints = {}
    for p in placed:
        track = p.track_id if held.tracks or is_read else columns.index(p.track_id)
        for joint in np.flatnonzero(p.labelled):
            if is_estimate and not is_found(p, joint):
                continue
            source = {'joint': p.keypoint_sources[joint], '': 'propagated'}.get(
                held.sources, 'given' if all_given else 'propagated'
            )
            score = None if p.scores is None else p.scores[joint]
            if is_estimate:
                score = max(1.0 if score is None else score, held.scores)
            name = labels.skeleton.keypoint_names[joint] if held.names else joint
            joints[p.frame_index, track, name] = (
                *p.keypoints[joint].tolist(),
                int(p.visibility[joint]) if held.flags else 2,
                str(p.keypoint_sources[joint] if is_read else source),
                score if held.scores is not False else None,
            )
    return joints


@pytest.mark.parametrize('format', HELD)
@for_placed_labels
def test_joints_come_back(
    tmp_path_factory: pytest.TempPathFactory, format: str, labels: VideoLabels
) -> None:
    held = HELD[format]
    if held.package:
        pytest.importorskip(held.package)
    if format == 'cvat':
        # Given joints keep all their digits, propagated ones two decimals.
        people = [
            p if p.is_given else replace(p, keypoints=p.keypoints.round(2) + 0.0)
            for p in labels.persons
        ]
        labels = labels.with_persons(people)
    (back,) = read_all_labels(written(labels, tmp_path_factory.mktemp('labels'), format), format)

    assert joints_of(back, held, is_read=True) == joints_of(labels, held)
    if held.frames:
        assert [*back] == [*labels]
    if held.boxes is not None:
        boxes, expected = (
            {(p.frame_index, p.track_id): p.bbox for p in v.persons if p.has_box and p.has_joint}
            for v in (back, labels)
        )
        for key in boxes.keys() & expected.keys():
            np.testing.assert_allclose(boxes[key], expected[key], rtol=0, atol=held.boxes)


def people_of(labels: VideoLabels, *dropped: str) -> list[dict]:
    """The people without ``dropped`` fields, by frame and track."""
    people = [content(p) for p in labels.persons]
    for fields in people:
        for name in (*dropped, 'extra'):
            del fields[name]
    return sorted(people, key=lambda p: (p['frame_index'], p['track_id']))


def frames_of(labels: VideoLabels) -> list[dict]:
    frames = [content(frame) for frame in labels.frames]
    for frame in frames:
        del frame['extra'], frame['image_id']
    return frames


@pytest.mark.parametrize('format', ['posetrack18', 'coco'])
@for_placed_labels
def test_coco_and_posetrack18_hold_everything(
    tmp_path_factory: pytest.TempPathFactory, format: str, labels: VideoLabels
) -> None:
    (back,) = read_all_labels(written(labels, tmp_path_factory.mktemp('labels'), format), format)

    people = labels.persons
    if format == 'coco':
        # Everybody has a box there; one without a size is none.
        boxes = [p.bbox if p.has_box else pose_extent(p.keypoints, p.labelled) for p in people]
        people = [replace(p, bbox=box) for p, box in zip(people, boxes, strict=True)]
        people = [p if p.has_box else replace(p, bbox=None) for p in people]
        assert back.name == labels.name
    assert people_of(back) == people_of(labels.with_persons(people))
    assert frames_of(back) == frames_of(labels)
    assert back.skeleton == labels.skeleton


@for_placed_labels
def test_cvat_holds_who_is_absent(
    tmp_path_factory: pytest.TempPathFactory, labels: VideoLabels
) -> None:
    back = read_labels(written(labels, tmp_path_factory.mktemp('labels'), 'cvat'))

    absent, expected = (
        # Of a propagated pose without a joint, CVAT knows nothing.
        {
            (p.frame_index, p.track_id, p.source)
            for p in v.persons
            if not p.is_located and p.source != 'propagated'
        }
        for v in (back, labels)
    )
    written_places = {(p.frame_index, p.track_id) for p in labels.persons if p.has_joint}
    # Where others are labelled, whoever is not has left.
    assert expected <= absent
    assert all(source == 'absent' for *_, source in absent - expected)
    assert not written_places & {place[:2] for place in absent}
    assert [*back] == [*range(max(labels) + 1)]
    assert (back.name, back.skeleton) == (labels.name, labels.skeleton)


@pytest.mark.parametrize('target', ['posetrack18', 'coco', 'cvat'])
def test_people_without_track_ids_keep_none_but_for_tracks_of_cvat(
    tmp_path: Path, target: str
) -> None:
    persons = (person(0, None), person(0, 4), person(1, None))
    back = read_labels(written(sample(persons=persons), tmp_path, target))

    present = [p.track_id for p in back.persons if p.is_located]
    assert sorted(present, key=str) == ([4, 5, 6] if target == 'cvat' else [4, None, None])


@pytest.mark.parametrize('target', ['posetrack18', 'coco'])
def test_unknown_fields_and_occluded_joints_alone_are_written_back(
    tmp_path: Path, target: str
) -> None:
    hidden = person(0, visibility=np.ones(3), extra={'person_id': 7, 'id': 12})
    frames = (VideoFrame(0, 'a/0.jpg', extra={'mask_file': 'm.png'}),)
    extra = {'info': {'by': 'Ünal'}, 'licenses': [1]}
    back = read_labels(
        written(sample(extra=extra, frames=frames, persons=(hidden,)), tmp_path, target)
    )

    assert back.extra['info'] == {'by': 'Ünal'}
    assert back.frames[0].extra['mask_file'] == 'm.png'
    assert (back.persons[0].extra['person_id'], back.persons[0].extra['id']) == (7, 12)
    assert back.persons[0].visibility.tolist() == [1, 1, 1]


def test_equal_labels_give_equal_files_which_are_compressed_by_their_name(tmp_path: Path) -> None:
    for name in ('a.json.gz', 'b.json.gz'):
        write_labels(sample(), tmp_path / name)

    data = (tmp_path / 'a.json.gz').read_bytes()
    assert data[:2] == b'\x1f\x8b'
    assert data == (tmp_path / 'b.json.gz').read_bytes()
    assert read_labels(tmp_path / 'a.json.gz').name == 'a'


def test_official_posetrack18_has_neither_absent_people_nor_other_fields(tmp_path: Path) -> None:
    gone = PersonLabel(1, np.zeros((3, 2)), np.zeros(3), track_id=4, source='absent')
    labels = sample(persons=(person(0, extra={'note': 'x', 'person_id': 3}), gone))
    back = read_labels(written(labels, tmp_path, 'posetrack18'))
    write_labels(back, tmp_path / 'o.json', 'posetrack18-official')

    assert len(json.loads((tmp_path / 'o.json').read_text())['annotations']) == 1
    (official,) = read_labels(tmp_path / 'o.json').persons
    assert official.extra == {'id': 1, 'category_id': 1, 'person_id': 3}
    assert official.visibility.tolist() == [2, 0, 1]


@for_placed_labels
def test_the_tidy_table_holds_every_joint_and_its_source(
    tmp_path_factory: pytest.TempPathFactory, labels: VideoLabels
) -> None:
    path = tmp_path_factory.mktemp('labels') / 't.csv'
    write_labels(labels, path, 'tidy-csv')
    with path.open(newline='', encoding='utf-8') as file:
        rows = {
            # The apostrophe is against formulas in spreadsheets.
            (int(r['frame']), int(r['person']), r['joint'].removeprefix("'")): (
                *(float(r['x']), float(r['y']), 2, r['source'], None),
            )
            for r in csv.DictReader(file)
        }
    # An apostrophe of the name itself gets another one.
    assert rows == joints_of(labels, Held(sources='joint'))


fractions = st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2))


@given(
    people=st.lists(st.tuples(*[fractions] * 3), min_size=1, max_size=3, unique=True),
    size=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
)
def test_yolo_fractions_come_in_at_their_pixels(tmp_path: Path, people: list, size: tuple) -> None:
    lines = [
        '0 0.5 0.5 1 1 ' + ' '.join(f'{x!r} {y!r} {v}' for x, y, v in points) for points in people
    ]
    (tmp_path / 'f_5.txt').write_text('\n'.join(lines))
    (tmp_path / 'data.yaml').write_text('kpt_shape: [3, 3]\nkpt_names: {0: [a, b, c]}')
    labels = read_labels(tmp_path / 'f_5.txt', size=size)

    assert [frame.index for frame in labels.frames] == [5]
    for label, points in zip(labels.persons, people, strict=True):
        assert label.visibility.tolist() == [v for _, _, v in points]
        expected = [[x * size[0], y * size[1]] if v else [0, 0] for x, y, v in points]
        assert label.keypoints.tolist() == expected
        assert label.given.tolist() == [v > 0 for _, _, v in points]


@contextlib.contextmanager
def counted_opens(path: Path) -> Any:
    """Count how often the files at a path are opened for reading, by Python or by h5py."""
    counts: Counter[str] = Counter()

    def count(function: Any) -> Any:
        def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(file, (str, os.PathLike)) and Path(file).is_relative_to(path):
                counts[os.fspath(file)] += 1
            return function(file, *args, **kwargs)

        return opened

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, 'open', count(builtins.open))
        patch.setattr(io, 'open', count(io.open))
        if importlib.util.find_spec('h5py') is not None:
            h5py = importlib.import_module('h5py')
            patch.setattr(h5py, 'File', count(h5py.File))
        yield counts


# sleap-io opens projects by itself, and only SLEAP writes analysis files.
@pytest.mark.parametrize('format', [n for n in READ_FORMATS if not n.startswith('sleap')])
def test_a_label_file_is_opened_at_most_twice(
    tmp_path: Path, movie: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    if LABEL_FORMATS[format].package:
        pytest.importorskip(LABEL_FORMATS[format].package)
    frames = tuple(replace(frame, width=64, height=48) for frame in sample().frames)
    (tmp_path / 'labels').mkdir()
    if LABEL_FORMATS[format].write:
        path = written(sample(frames=frames), tmp_path / 'labels', format)
    else:
        path = write_json(tmp_path / 'labels' / 'clip.json', DOCUMENTS[format])
    size = ('--labels-size', '64x48') if 'size' in LABEL_FORMATS[format].takes else ()
    commands = {
        'convert': (path, tmp_path / 'coco.json', '--to', 'coco', *size),
        'propagate': (movie, path, '--method', 'linear', '--out', tmp_path / 'dense.json'),
    }
    if format == 'posetrack18':
        # Ground truth and predictions are one file here.
        commands['evaluate'] = path.parent, path.parent, '--out', tmp_path / 'metrics.json'
    with counted_opens(path) as counts:
        read_all_labels(path, size=(64, 48))
    assert {*counts.values()} <= {1, 2}
    assert counts
    for name, words in commands.items():
        with counted_opens(path) as counts, contextlib.suppress(SystemExit):
            importlib.import_module(f'stdpose_mm.cli.{name}').main([*map(str, words)])
        assert counts, capsys.readouterr().err
        assert {*counts.values()} <= {1, 2}, name
