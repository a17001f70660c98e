from __future__ import annotations

import os
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.cache_folder import CacheFolder
from stdpose_mm.labelling.propagation import (
    given_labels,
    propagate_frames,
    propagate_labels,
    propagate_subsampled,
    require_method,
    subsample_labels,
)
from stdpose_mm.labelling.propagation.gaps import find_gaps
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.labelling.propagation.video_propagation import boxes_of
from stdpose_mm.structures import FrameBoxes, PersonLabel
from support.platforms import linux


@st.composite
def sparse_videos(draw):
    """(number of frames, labels of up to 3 people on any frames; joints missing, people gone)."""
    num_frames = draw(st.integers(1, 25))
    coordinate = st.floats(-50, 500, allow_nan=False)
    persons = []
    for track_id in draw(st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)):
        for frame in sorted(draw(st.sets(st.integers(0, num_frames - 1), min_size=1, max_size=6))):
            absent = draw(st.sampled_from([False, False, True]))
            flags = draw(st.lists(st.integers(0, 2), min_size=3, max_size=3))
            points = draw(st.lists(coordinate, min_size=6, max_size=6))
            has_box = not absent and (not any(flags) or draw(st.booleans()))
            persons.append(
                PersonLabel(
                    frame,
                    np.reshape(points, (3, 2)),
                    np.zeros(3) if absent else np.array(flags),
                    track_id=track_id,
                    bbox=np.array([1.0, 2.0, 30.0, 40.0]) if has_box else None,
                )
            )
    return num_frames, persons


def is_present(labels, frame, life_span):
    """Whether a track is in a frame, by the words of the rule alone."""
    earlier = [n for n in labels if n < frame]
    later = [n for n in labels if n > frame]
    if life_span == 'labels' and not (earlier and later):
        return False
    if earlier:
        return labels[max(earlier)].is_located
    return labels[min(later)].is_located


def same_bits(first, second):
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()


@pytest.mark.slow
@given(
    sparse=sparse_videos(),
    life_span=st.sampled_from(['video', 'labels']),
    method=st.sampled_from(['linear', 'spline']),
)
def test_everyone_is_in_every_frame_once_and_given_labels_are_unchanged(
    video, blank, sparse, life_span, method
):
    num_frames, persons = sparse
    assume(any(person.is_located for person in persons))
    propagator = require_method(method)()
    dense = propagate_labels(
        blank(num_frames), video(persons, num_frames), propagator, life_span=life_span
    )

    tracks = video(persons, num_frames).tracks()
    found = [(person.frame_index, person.track_id) for person in dense.persons]
    assert found == [(n, track) for n in range(num_frames) for track in sorted(tracks)]
    assert [frame.index for frame in dense.frames] == list(range(num_frames))
    results = {(p.frame_index, p.track_id): p for p in dense.persons}
    for person in persons:
        result = results.pop((person.frame_index, person.track_id))
        assert result.source == 'given'
        assert same_bits(result.keypoints, person.keypoints)
        assert same_bits(result.visibility, person.visibility)
        if person.bbox is not None:
            assert same_bits(result.bbox, person.bbox)
    for (frame, track_id), person in results.items():
        if is_present(tracks[track_id], frame, life_span):
            assert person.source == 'propagated'
            assert person.bbox is not None
            assert ((person.scores > 0) == person.labelled).all()
            assert (person.scores <= 1).all()
        else:
            assert person.source == 'absent'
            assert not person.is_located


POSE = [[10, 10], [20, 10], [10, 30]]


def test_people_without_ids_get_them(label, video, blank):
    far = [[x + 300, y] for x, y in POSE]
    persons = [
        label(0, POSE, track_id=None),
        label(0, far, track_id=None),
        label(4, far, track_id=None),
        label(4, POSE, track_id=None),
    ]
    dense = propagate_labels(blank(5), video(persons, 5), LinearPropagator())
    assert dense.track_ids == (0, 1)
    assert [p.keypoints[0, 0] for p in dense.persons if p.track_id == 1] == [310] * 5


def test_labels_that_were_propagated_before_do_not_count_as_given(label, video, blank):
    persons = [label(0, POSE), label(1, np.zeros((3, 2)), source='propagated')]
    dense = propagate_labels(blank(3), video(persons, 3), LinearPropagator())
    np.testing.assert_array_equal(dense.persons[1].keypoints, POSE)


def test_boxes_are_interpolated_between_labelled_boxes(label, video, blank):
    persons = [label(0, POSE, bbox=[0, 0, 10, 20]), label(4, POSE, bbox=[8, 4, 10, 40])]
    dense = propagate_labels(blank(5), video(persons, 5), LinearPropagator())
    np.testing.assert_allclose(dense.persons[1].bbox, [2, 1, 10, 25])


def sources_of(dense, track_id):
    letters = [p.source[0] for p in dense.persons if p.track_id == track_id]
    return ''.join(letters)


def gone(label, frame, **fields):
    """A given label that says: absent from here on."""
    return label(frame, np.zeros((3, 2)), [0, 0, 0], **fields)


@pytest.mark.parametrize(
    ('given_at', 'gone_at', 'in_video', 'in_labels'),
    [
        ([2, 5], [], 'ppgppgpppp', 'aagppgaaaa'),
        ([4], [], 'ppppgppppp', 'aaaagaaaaa'),
        ([2], [5], 'ppgppgaaaa', 'aagppgaaaa'),
        ([2, 8], [5], 'ppgppgaagp', 'aagppgaaga'),
        ([2, 8], [5, 6], 'ppgppggagp', 'aagppggaga'),
        ([5], [2], 'aagaagpppp', 'aagaagaaaa'),
        ([9], [0], 'gaaaaaaaag', 'gaaaaaaaag'),
    ],
)
def test_who_is_in_which_frame(label, video, blank, given_at, gone_at, in_video, in_labels):
    persons = [label(n, POSE) for n in given_at] + [gone(label, n) for n in gone_at]
    for life_span, expected in (('video', in_video), ('labels', in_labels)):
        dense = propagate_labels(
            blank(10), video(persons, 10), LinearPropagator(), life_span=life_span
        )
        assert sources_of(dense, 0) == expected


def test_someone_who_leaves_is_not_drawn_towards_the_place_of_the_return(label, video, blank):
    persons = [label(0, POSE), gone(label, 4), label(8, np.add(POSE, 100)), label(9, POSE)]
    dense = propagate_labels(blank(10), video(persons, 10), LinearPropagator())
    for frame in (1, 2, 3):
        np.testing.assert_array_equal(dense.persons[frame].keypoints, POSE)
    assert not dense.persons[6].labelled.any()
    assert dense.persons[6].scores.tolist() == [0, 0, 0]
    assert dense.persons[6].bbox is None


@pytest.mark.parametrize('fields', [{}, {'head_box': [1, 2, 3, 4]}], ids=['nothing', 'head box'])
def test_a_person_of_whom_no_pose_is_known_is_absent(label, video, blank, fields):
    persons = [label(0, POSE), gone(label, 1, track_id=7, **fields)]
    dense = propagate_labels(blank(3), video(persons, 3), LinearPropagator())
    assert sources_of(dense, 7) == 'aga'


def test_without_a_label_of_a_whole_person_there_is_nothing_to_propagate(label, video, blank):
    heads = [gone(label, frame, head_box=[1, 2, 3, 4]) for frame in (0, 4)]
    for persons in ([], [gone(label, 1)], heads):
        with pytest.raises(InputError, match='no given labels to propagate'):
            propagate_labels(blank(5), video(persons, 5), LinearPropagator())


def test_known_boxes_hold_in_their_frames_and_are_interpolated_between(label, video, blank):
    persons = [label(0, POSE, bbox=[0, 0, 10, 10]), label(8, POSE, bbox=[0, 0, 10, 10])]
    boxes = {0: {4: np.array([40.0, 0, 10, 10])}}
    dense = propagate_labels(blank(9), video(persons, 9), LinearPropagator(), boxes)
    assert [p.bbox[0] for p in dense.persons] == [0, 10, 20, 30, 40, 30, 20, 10, 0]


def test_detections_take_the_place_of_interpolated_boxes_where_they_overlap(label, video, blank):
    persons = [label(0, POSE, bbox=[0, 0, 10, 10]), label(4, POSE, bbox=[4, 0, 10, 10])]
    far, near = [50, 0, 10, 10], [3, 1, 10, 10]
    detections = {
        frame: FrameBoxes(np.array(boxes, float), np.ones(len(boxes)))
        for frame, boxes in {0: [near], 1: [far, near], 2: [far]}.items()
    }
    labels = video(persons, 5)
    frames = propagate_frames(
        blank(5), labels.tracks(), labels.skeleton, LinearPropagator(), detections=detections
    )
    boxes = [person.bbox.tolist()[:2] for _, people in frames for person in people]
    assert boxes == [[0, 0], [3, 1], [2, 0], [3, 0], [4, 0]]


def test_frames_come_in_order_and_as_soon_as_they_are_known(label, video, blank, skeleton):
    seen = []

    class Watching(LinearPropagator):
        def propagate(self, frames, gaps, skeleton):
            for poses in super().propagate(frames, gaps, skeleton):
                for row, frame in enumerate(poses.frames):
                    seen.append(frame)
                    arrays = {n: values[row : row + 1] for n, values in poses.arrays.items()}
                    yield replace(poses, frames=range(frame, frame + 1), **arrays)

    labels = video([label(0, POSE), label(3, POSE)], 9)
    results = propagate_frames(blank(9), labels.tracks(), skeleton, Watching())
    assert next(results)[0] == 0
    assert next(results)[0] == 1
    assert seen == [1]
    assert [frame for frame, _ in results] == list(range(2, 9))


@pytest.mark.parametrize(
    'changes',
    [
        {'keypoints': np.add(POSE, 5)},
        {'visibility': [2, 1, 2]},
        {'visibility': [2, 0, 2]},
        {'bbox': [0, 0, 99, 99]},
    ],
    ids=['pose', 'occluded', 'removed joint', 'box'],
)
def test_a_correction_redoes_only_the_gaps_it_touches(label, video, blank, skeleton, changes):
    asked = []

    class Watching(LinearPropagator):
        def propagate(self, frames, gaps, skeleton):
            asked.append([gap.frames for gap in gaps])
            return super().propagate(frames, gaps, skeleton)

    cache = {}
    tracks = {0: {n: label(n, POSE) for n in (0, 5, 10, 15)}}
    before = dict(propagate_frames(blank(16), tracks, skeleton, Watching(), cache))
    tracks[0][10] = label(10, **{'keypoints': POSE, **changes})
    after = dict(propagate_frames(blank(16), tracks, skeleton, Watching(), cache))
    fresh = dict(propagate_frames(blank(16), tracks, skeleton, LinearPropagator()))

    assert asked[1] == [range(6, 10), range(11, 15)]
    np.testing.assert_array_equal(after[3][0].keypoints, before[3][0].keypoints)
    for frame in range(16):
        np.testing.assert_array_equal(after[frame][0].keypoints, fresh[frame][0].keypoints)
        np.testing.assert_array_equal(after[frame][0].visibility, fresh[frame][0].visibility)
        np.testing.assert_array_equal(after[frame][0].bbox, fresh[frame][0].bbox)


def test_a_correction_reaches_gaps_further_away_for_a_joint_missing_between(
    label, video, blank, skeleton
):
    cache = {}
    tracks = {0: {0: label(0, POSE), 4: label(4, POSE, [2, 2, 0]), 8: label(8, POSE)}}
    dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    moved = [*POSE[:2], [POSE[2][0] + 8, POSE[2][1]]]
    tracks[0][8] = label(8, moved)
    after = dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    np.testing.assert_allclose(after[2][0].keypoints[2], [POSE[2][0] + 2, POSE[2][1]])


def test_a_cache_in_memory_keeps_only_the_gaps_of_these_labels(label, blank, skeleton):
    cache = {}
    for moved in (0, 5):
        tracks = {0: {0: label(0, POSE), 4: label(4, np.add(POSE, moved)), 8: label(8, POSE)}}
        dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    assert len(cache) == 2


def test_a_finished_gap_is_read_once(label, blank, skeleton):
    reads = []

    class Reading(dict):
        """Stands for a cache on the disk."""

        def __getitem__(self, key):
            reads.append(key)
            return super().__getitem__(key)

    cache = Reading()
    tracks = {0: {n: label(n, np.add(POSE, n)) for n in (0, 4, 8)}}
    for _ in range(2):
        dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    assert sorted(reads) == sorted(cache.keys())


def test_boxes_without_a_size_are_none(label, video):
    persons = [
        label(0, POSE, bbox=[1, 2, 30, 40]),
        label(1, POSE, bbox=[1, 2, 0, 40]),
        label(2, POSE),
    ]
    boxes = boxes_of(video(persons, 3))
    assert [*boxes[0]] == [0]
    assert boxes[0][0].tolist() == [1, 2, 30, 40]


def disk_cache(folder):
    return CacheFolder(folder).open((), 'clip', dict, dict)


def test_a_cache_on_the_disk_keeps_the_gaps_of_other_labels(label, blank, skeleton, tmp_path):
    """Of another run on the same video, perhaps at the same time."""
    for moved in (0, 5):
        cache = disk_cache(tmp_path)
        tracks = {0: {0: label(0, POSE), 4: label(4, np.add(POSE, moved)), 8: label(8, POSE)}}
        dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    assert sum(usage.entries for usage in CacheFolder(tmp_path).usage()) == 4


def test_a_gap_that_another_process_removes_is_propagated_again(label, blank, skeleton, tmp_path):
    tracks = {0: {n: label(n, np.add(POSE, n)) for n in (0, 4, 8)}}
    cache = disk_cache(tmp_path)
    before = dict(propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache))
    results = propagate_frames(blank(9), tracks, skeleton, LinearPropagator(), cache)
    # By the first frame it is known which gaps are in the cache.
    after = dict([next(results)])
    CacheFolder(tmp_path).clear()
    after.update(results)
    for frame in range(9):
        np.testing.assert_array_equal(after[frame][0].keypoints, before[frame][0].keypoints)


@pytest.mark.slow
def test_poses_are_dropped_once_their_frame_was_handed_out(label, blank, skeleton):
    finished = []

    class Forgetful(dict):
        """Stands for a cache on the disk; whether the poses are in memory can be asked later."""

        def __setitem__(self, key, arrays):
            finished.append(weakref.ref(arrays['keypoints']))

    most = {}
    for num_frames in (100, 300):
        tracks = {
            track: {n: label(n, POSE, track_id=track) for n in range(track, num_frames, 10)}
            for track in range(3)
        }
        most[num_frames] = max(
            sum(poses() is not None for poses in finished)
            for _ in propagate_frames(
                blank(num_frames), tracks, skeleton, LinearPropagator(), Forgetful()
            )
        )
    assert 3 <= most[300] == most[100] <= 4


@pytest.mark.parametrize('frame', [5, 7])
def test_a_label_beyond_the_video_is_refused(label, video, blank, frame):
    sentence = rf'on frame {frame}, but the video has 5 frames \(0\.\.4\)'
    with pytest.raises(InputError, match=sentence):
        propagate_labels(blank(5), video([label(frame, POSE)], 8), LinearPropagator())


def test_a_propagator_that_leaves_someone_out_is_a_bug(label, video, blank):
    class Lazy(LinearPropagator):
        def propagate(self, frames, gaps, skeleton):
            for poses in super().propagate(frames, gaps, skeleton):
                first = {name: values[:-1] for name, values in poses.arrays.items()}
                yield replace(poses, frames=poses.frames[:-1], **first)

    with pytest.raises(
        RuntimeError, match=r'the propagator left out 1 frames of person 0 in range\(1, 3\)'
    ):
        propagate_labels(blank(3), video([label(0, POSE)], 3), Lazy())


def test_an_unknown_method_is_refused_with_the_choices():
    with pytest.raises(
        InputError, match=r"no propagation method 'magic', .* one of .*flow, linear"
    ):
        require_method('magic')


def test_keep_every_follows_the_labelled_frame_rule(label, video):
    truth = video([label(n, POSE) for n in range(12)], 12)
    assert subsample_labels(truth, 7).labelled_frame_indices == (0, 7, 11)
    with pytest.raises(InputError, match='must be at least 1, got 0'):
        subsample_labels(truth, 0)


def test_repropagation_returns_the_people_and_frames_of_the_truth(label, video, blank):
    persons = [label(n, np.add(POSE, n), track_id=1) for n in range(2, 9)]
    persons += [label(n, POSE, track_id=2) for n in range(2, 5)]
    dense = propagate_subsampled(blank(12), video(persons, 12), 3, LinearPropagator())
    found = [(p.frame_index, p.track_id) for p in dense.persons]
    assert found == sorted((p.frame_index, p.track_id) for p in persons)
    given_frames = [p.frame_index for p in dense.persons if p.source == 'given']
    assert given_frames == [2, 2, 5, 8]
    moved = {p.frame_index: p for p in dense.persons if p.track_id == 1}
    np.testing.assert_allclose(moved[6].keypoints, np.add(POSE, 6))


def test_repropagation_with_true_boxes_uses_them(label, video, blank):
    persons = [label(n, POSE, bbox=[n * n, 0, 10, 10]) for n in range(5)]
    dense = propagate_subsampled(
        blank(5), video(persons, 5), 4, LinearPropagator(), use_truth_boxes=True
    )
    assert [p.bbox[0] for p in dense.persons] == [0, 1, 4, 9, 16]


def test_a_gap_before_the_first_label_has_no_label_on_its_left(label):
    labels = {4: label(4, [[1, 1], [2, 2], [3, 3]])}
    boxes = {frame: np.array([0.0, 0, 9, 9]) for frame in range(9)}

    first, last = find_gaps(0, labels, boxes, range(9))

    assert (first.left, first.right) == (None, labels[4])
    assert (last.left, last.right) == (labels[4], None)
    assert [first.frames, last.frames] == [range(4), range(5, 9)]


def test_a_head_box_alone_starts_nothing_but_later_labels_do(label, video, blank):
    persons = [gone(label, 0, head_box=[1, 2, 3, 4]), gone(label, 2), label(4, POSE)]
    dense = propagate_labels(blank(6), video(persons, 6), LinearPropagator())
    shown = [person.frame_index for person in dense.persons if person.labelled.any()]
    assert shown == [4, 5]


@pytest.mark.parametrize(
    ('shifts', 'track_id', 'is_told'),
    [((0, 9, 18), None, False), ((0, 9, 300), None, True), ((0, 9, 300), 3, False)],
)
def test_labels_far_apart_that_are_read_as_one_person_are_told(
    label, video, recwarn, shifts, track_id, is_told
):
    pose = np.array([[10.0, 10], [40, 10], [10, 60]])
    people = [label(9 * i, pose + shift, track_id=track_id) for i, shift in enumerate(shifts)]

    assert len(given_labels(video(people, 20)).track_ids) == 1
    told = [str(warning.message) for warning in recwarn]
    assert told == is_told * [
        'frames 9 and 18 of clip: labels without identities, far apart, are read as one person; '
        'give track ids if they are several people'
    ]


def test_a_label_without_a_track_id_among_others_is_one_of_their_person_with_a_note(
    label, video, recwarn
):
    ids = {0: 3, 5: None, 10: 3, 15: None}
    people = [label(frame, np.add(POSE, 30 * frame), track_id=n) for frame, n in ids.items()]

    assert given_labels(video(people, 20)).track_ids == (3,)
    assert [str(warning.message) for warning in recwarn] == [
        'frames 5, 15 of clip: labels without a track id are read as person 3; give track '
        'ids if they are other people'
    ]


@linux
def test_free_memory_between_lasting_poses_goes_back_to_the_system(label, video, blank):
    def resident() -> int:
        return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    labels = video([label(n, POSE) for n in (0, 2)], 3)
    small = [np.ones(4000) for _ in range(2000)]
    lasting = small[::8]
    del small
    before = resident()
    propagate_labels(blank(3), labels, LinearPropagator())

    assert before - resident() > 30e6
    assert len(lasting) == 250
