from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.detection import PersonDetector
from stdpose_mm.errors import InputError, InputWarning
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.labels import read_posetrack18
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.labelling.propagation.window import PerFramePropagator
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking.optical_flow import RAFTFlow
from support.comparison_videos import SpyPropagator

POSE = np.array([[10, 10], [20, 10], [10, 30]], float)


@pytest.fixture
def linear():
    return VideoPosePropagator(method='linear')


@pytest.fixture
def build(model_files):
    def make(method='stdpose', **options):
        return VideoPosePropagator(*model_files, method=method, **options)

    return make


@pytest.fixture
def state(linear, folder):
    return linear.init_state(folder)


def run(propagator, state):
    return list(propagator.propagate_in_video(state))


def test_added_labels_are_propagated_frame_by_frame(linear, state):
    linear.add_labels(state, frame_idx=0, person_id=3, keypoints=POSE)
    linear.add_labels(state, frame_idx=4, person_id=3, keypoints=POSE + 8, bbox=[0, 0, 50, 50])
    linear.add_labels(state, frame_idx=8, person_id=1, keypoints=POSE)

    results = run(linear, state)

    assert [result.frame_idx for result in results] == list(range(9))
    second = results[1]
    assert second.person_ids.tolist() == [1, 3]
    assert second.source == ('propagated', 'propagated')
    np.testing.assert_allclose(second.keypoints, [POSE, POSE + 2])
    assert second.visibility.shape == second.scores.shape == (2, 3)
    assert second.bboxes.shape == (2, 4)
    assert results[4].source == ('propagated', 'given')
    np.testing.assert_array_equal(results[4].bboxes[1], [0, 0, 50, 50])
    assert results[4].scores[1].tolist() == [1, 1, 1]


NOWHERE = [np.nan, np.nan]


@pytest.mark.parametrize('kind', [list, np.asarray])
def test_a_video_may_be_arrays(linear, pictures, kind):
    state = linear.init_state(kind(pictures))
    linear.add_labels(state, frame_idx=0, person_id=3, keypoints=POSE)
    assert [result.frame_idx for result in run(linear, state)] == list(range(len(pictures)))


def test_nan_and_visibility_0_mean_not_labelled(linear, state):
    linear.add_labels(state, 0, 1, [[1, 2], NOWHERE, [3, 4]])
    linear.add_labels(state, 0, 2, [[1, 2, 1], [5, 5, 0], [3, 4, 2]])
    first = next(linear.propagate_in_video(state))
    assert first.visibility.tolist() == [[2, 0, 2], [1, 0, 2]]


def test_joints_left_out_of_a_file_are_filled_when_asked_for(linear, folder, label, video):
    labels = video([label(0, POSE), label(4, POSE + 4, [2, 2, 0]), label(8, POSE + 8)], 9)
    left_out, filled = (
        run(linear, linear.init_state(folder, labels, fill_left_out=fill))[4]
        for fill in (False, True)
    )
    assert left_out.keypoint_sources.tolist() == [['given', 'given', 'absent']]
    assert filled.keypoint_sources.tolist() == [['given', 'given', 'propagated']]
    np.testing.assert_allclose(filled.keypoints[0], POSE + 4)


def test_the_box_stays_when_all_joints_are_taken_back(linear, folder):
    state = linear.init_state(folder, skeleton=Skeleton(('a', 'b', 'c')))
    linear.add_labels(state, 0, 1, POSE)
    linear.add_labels(state, 4, 1, POSE + 8, bbox=[1, 2, 30, 40])
    linear.remove_labels(state, 4, 1, ['a', 'b', 'c'])
    pose = run(linear, state)[4]
    assert pose.bboxes.tolist() == [[1, 2, 30, 40]]
    assert pose.source == ('propagated',)
    np.testing.assert_array_equal(pose.keypoints[0], POSE)


def test_a_correction_redoes_the_gaps_of_its_joint_and_person_only(folder):
    spy = SpyPropagator()
    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = spy
    state = propagator.init_state(folder)
    for person in (1, 2):
        for frame in (0, 4, 8):
            propagator.add_labels(state, frame, person, POSE)
    run(propagator, state)
    spy.gaps.clear()
    propagator.add_labels(state, 6, 2, [NOWHERE, NOWHERE, [50, 60]])
    run(propagator, state)
    redone = {(gap.track_id, gap.frames, tuple(gap.joints)) for gap in spy.gaps}
    assert redone == {
        (2, range(5, 8), (True, True, False)),
        (2, range(5, 6), (False, False, True)),
        (2, range(7, 8), (False, False, True)),
    }


def test_warnings_on_evidence_are_about_the_gaps_as_they_are_now(folder, label, video):
    class Spy(SpyPropagator):
        def describe_use(self, warn_for_video=None, among=None):
            filled = [gap.fingerprint(self.reads_second_labels) for gap in self.gaps]
            return [str(sum(key in among for key in filled))] if among else ['some']

    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = Spy()
    labels = video([label(frame, POSE) for frame in (0, 4, 8)], 9)
    box = video([label(2, np.zeros((3, 2)), [0, 0, 0], bbox=[1, 2, 60, 60])], 9)
    state = propagator.init_state(folder, labels, boxes=box)
    run(propagator, state)
    assert propagator.evidence_warnings(state) == ['2']
    propagator.add_labels(state, 6, 0, POSE)
    assert propagator.evidence_warnings(state) == ['1']


def two_people(label, video):
    return video(
        [label(f, POSE + 30 * person, track_id=person) for f in (0, 4, 8) for person in (0, 1)], 9
    )


def test_boxes_that_lie_on_another_person_are_refused(linear, folder, label, video):
    box, other = np.array([[8, 8, 14, 24], [38, 38, 14, 24]], float)
    boxes = {0: dict.fromkeys(range(9), other), 1: dict.fromkeys(range(9), box)}
    with pytest.raises(InputError) as error:
        linear.init_state(folder, two_people(label, video), boxes=boxes)
    assert 'of track 0 lie elsewhere than its labels in 3 frames (0, 4, 8)' in str(error.value)
    assert 'where those of track 1 lie, give each track the id' in str(error.value)


def test_boxes_that_change_to_another_person_at_the_end_are_named(linear, folder, label, video):
    box, other = np.array([[8, 8, 14, 24], [38, 38, 14, 24]], float)
    boxes = {0: {**dict.fromkeys(range(8), box), 8: other}}
    with pytest.warns(InputWarning, match=r'of track 0 lie elsewhere than its labels in 1 frame'):
        linear.init_state(folder, two_people(label, video), boxes=boxes)


def test_boxes_may_leave_out_a_joint_of_the_label(linear, folder, label, video):
    boxes = {0: {0: np.array([8, 8, 14, 8], float)}}
    assert linear.init_state(folder, two_people(label, video), boxes=boxes).boxes == boxes


def test_messages_about_pictures_in_memory_read_well(linear, pictures):
    state = linear.init_state(list(pictures))
    with pytest.raises(InputError, match='but the list of pictures has 9 frames'):
        linear.add_labels(state, 9, 1, POSE)


def test_life_spans_by_labels(linear, folder):
    state = linear.init_state(folder, life_span='labels')
    linear.add_labels(state, 2, 1, POSE)
    linear.add_labels(state, 4, 1, POSE)
    assert ''.join(r.source[0][0] for r in run(linear, state)) == 'aagpgaaaa'


def test_detections_are_made_once(linear, folder, tmp_path):
    seen = []

    class Everywhere(PersonDetector):
        def _detect(self, picture):
            seen.append(picture.shape)
            return np.array([[0.0, 0, 40, 40], [1.0, 0, 40, 40]]), np.array([0.4, 0.9])

    for _ in range(2):
        state = linear.init_state(folder, folder=tmp_path / 'cache')
        linear.add_labels(state, 0, 1, POSE, bbox=[2, 0, 40, 40])
        assert list(linear.detect_in_video(state, Everywhere())) == list(range(1, 9))
        # The better of the two that overlap.
        assert run(linear, state)[5].bboxes[0].tolist() == [1, 0, 39, 40]
    assert len(seen) == 8


def test_a_state_has_the_poses_of_the_propagator_that_is_asked(linear, pictures):
    class Beside(LinearPropagator):
        def curves(self, gap):
            return super().curves(gap) + 5

    state = linear.init_state(ArrayFrames(pictures))
    linear.add_labels(state, 0, 1, POSE)
    linear.add_labels(state, 8, 1, POSE + 8)
    other = VideoPosePropagator(method='linear')
    other.propagator = Beside()
    for propagator, expected in ((linear, POSE + 2), (other, POSE + 7), (linear, POSE + 2)):
        np.testing.assert_allclose(run(propagator, state)[2].keypoints, [expected])


def test_a_state_has_the_poses_of_its_present_joints(pictures):
    asked = []

    class Watching(LinearPropagator):
        def propagate(self, frames, gaps, skeleton):
            asked.append((skeleton.keypoint_names[0], len(gaps)))
            return super().propagate(frames, gaps, skeleton)

    propagator = VideoPosePropagator(method='linear')
    propagator.propagator = Watching()
    state = propagator.init_state(ArrayFrames(pictures), skeleton=Skeleton(('a', 'b', 'c')))
    propagator.add_labels(state, 0, 1, POSE)
    run(propagator, state)
    run(propagator, state)
    state.skeleton = Skeleton(('d', 'b', 'c'))
    run(propagator, state)
    assert asked == [('a', 1), ('a', 0), ('d', 1)]


def test_a_state_does_not_keep_poses_of_many_propagators_in_memory(pictures):
    state = VideoPosePropagator(method='linear').init_state(ArrayFrames(pictures))
    VideoPosePropagator(method='linear').add_labels(state, 4, 1, POSE)
    for _ in range(5):
        run(VideoPosePropagator(method='linear'), state)
    assert not state.caches


def test_reset_forgets_the_labels(linear, folder):
    state = linear.init_state(folder)
    linear.add_labels(state, 0, 1, POSE)
    run(linear, state)
    linear.reset_state(state)
    assert not state.caches
    with pytest.raises(InputError, match='no given labels'):
        run(linear, state)
    linear.add_labels(state, 0, 2, POSE[:2])
    assert run(linear, state)[5].person_ids.tolist() == [2]
    named = linear.init_state(folder, skeleton=Skeleton(('a', 'b', 'c')))
    linear.reset_state(named)
    with pytest.raises(InputError, match='has 2 keypoints, expected 3'):
        linear.add_labels(named, 0, 2, POSE[:2])


def test_label_files_are_matched_to_pictures_by_name(linear, folder, label_file):
    labels = read_posetrack18(label_file)
    state = linear.init_state(folder, labels)
    dense = linear.collect_labels(state, linear.propagate_in_video(state))
    assert [frame.index for frame in dense.frames] == list(range(9))
    assert [f.file_name for f in dense.frames] == [f'clip/{n + 1:06d}.jpg' for n in range(9)]
    assert len(dense.persons) == 18


def test_joints_are_named_by_the_given_skeleton(linear, folder):
    skeleton = Skeleton(('a', 'b', 'c'))
    state = linear.init_state(folder, skeleton=skeleton)
    linear.add_labels(state, 0, 1, POSE)
    results = linear.propagate_in_video(state)
    assert linear.collect_labels(state, results).skeleton == skeleton


@pytest.mark.parametrize('method', ['stdpose', 'per-frame', 'auto'])
def test_a_network_fills_the_other_joints_of_a_label_of_one(build, folder, method):
    propagator = build(method)
    state = propagator.init_state(folder)
    for frame in (0, 8):
        propagator.add_labels(state, frame, 1, POSE)
    whole = run(propagator, state)
    propagator.add_labels(state, 4, 1, [NOWHERE, NOWHERE, [12, 28]])
    results = run(propagator, state)
    assert results[4].keypoint_sources.tolist() == [['propagated', 'propagated', 'given']]
    assert results[4].keypoints[0, 2].tolist() == [12, 28]
    # The others' windows reach from label to label as before, and the crops are the same.
    for frame in (3, 4, 5):
        moved = np.abs(results[frame].keypoints[0, :2] - whole[frame].keypoints[0, :2])
        assert moved.max() < (2 if method == 'auto' else 1e-3)


def test_per_frame_reads_the_frame_head(build, model_files, folder):
    propagator = build('per-frame')
    state = propagator.init_state(folder)
    propagator.add_labels(state, 0, 1, POSE, bbox=[5, 5, 30, 40])
    by_frame_head = run(propagator, state)[4].keypoints
    propagator.propagator = PerFramePropagator(WindowModel.from_config(*model_files))
    assert not np.allclose(by_frame_head, run(propagator, state)[4].keypoints)


@pytest.mark.slow
def test_by_default_all_evidence_there_is_counts(model_files):
    names = ('head', 'left_hand', 'tail')
    without, with_model = VideoPosePropagator(), VideoPosePropagator(*model_files)
    assert without.method == with_model.method == 'auto'
    assert without.describe(Skeleton(names)).endswith('without a pose network')
    assert with_model.describe(Skeleton(names)).endswith('heatmaps for 2 of 3 joints')


def test_flow_is_followed_with_the_network_that_was_given(tmp_path):
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    weights = tmp_path / 'raft.pth'
    torch.save(raft_small(weights=None).state_dict(), weights)
    propagator = VideoPosePropagator(method='flow', flow_weights=weights)
    assert isinstance(propagator.propagator.estimator, RAFTFlow)
    with pytest.raises(InputError, match="method 'linear' does not use"):
        VideoPosePropagator(method='linear', flow_weights=weights)


def test_weights_of_another_model_are_one_sentence(model_files, tmp_path):
    content = torch.load(model_files[1], weights_only=False)
    weights = {'unknown.weight': torch.zeros(1)}
    torch.save({**content, 'state_dict': weights}, tmp_path / 'other.pth')
    with pytest.raises(InputError, match='does not fit the model') as caught:
        VideoPosePropagator(model_files[0], tmp_path / 'other.pth', method='stdpose')
    assert '\n' not in str(caught.value)


def test_joints_come_from_the_config_where_the_checkpoint_names_none(model_files, tmp_path):
    config, checkpoint = model_files
    nameless = tmp_path / 'nameless.pth'
    torch.save({'state_dict': torch.load(checkpoint, weights_only=False)['state_dict']}, nameless)
    with pytest.raises(InputError, match=r'neither the checkpoint nor .* names the joints'):
        VideoPosePropagator(config, nameless)
    names = ('a', 'b', 'c')
    loaded = Config.fromfile(config)
    loaded.test_dataloader.dataset.metainfo = Skeleton(names).to_metainfo('mine')
    propagator = VideoPosePropagator(loaded, nameless)
    assert propagator.propagator.skeleton.keypoint_names == names


@pytest.mark.parametrize(
    ('label', 'message'),
    [
        ({'frame_idx': 9}, r'on frame 9, but clip has 9 frames, give a frame in 0'),
        ({'frame_idx': -1}, 'on frame -1'),
        ({'keypoints': POSE[0]}, r'shape \[2\], expected \[K, 2\] or \[K, 3\]'),
        ({'keypoints': np.zeros((0, 2)), 'bbox': [1, 2, 3, 4]}, r'shape \[0, 2\], expected'),
        ({'keypoints': [[1, 2], [3]]}, r'not an array of numbers, expected \[K, 2\] or \[K, 3\]'),
        ({'keypoints': POSE[:2]}, 'has 2 keypoints, expected 3'),
        ({'keypoints': [[1, 1, 7]] * 3}, 'visibility must be 0, 1 or 2, got 7'),
        ({'keypoints': [[10**400, 1]] * 3}, 'keypoints of person 1 in frame 0: not an array of'),
        ({'bbox': [1, 2, 3, 4j]}, r'bbox of person 1 in frame 0: not an array .* \[x, y, w, h\]'),
        ({'keypoints': [[np.inf, 1]] * 3}, 'finite'),
        ({'bbox': [1, 2, 3]}, 'bbox must be 4 finite numbers'),
        ({'keypoints': POSE * np.nan}, 'neither a joint nor a box, give one, or use mark_absent'),
    ],
)
def test_mistakes_in_labels_are_one_sentence(linear, folder, label, message):
    state = linear.init_state(folder, skeleton=Skeleton(('a', 'b', 'c')))
    for _ in range(2):
        # The same without and with an earlier label.
        with pytest.raises(InputError, match=message):
            linear.add_labels(state, **{'frame_idx': 0, 'person_id': 1, 'keypoints': POSE, **label})
        linear.add_labels(state, 0, 1, POSE)


def test_one_picture_is_no_video(linear, pictures):
    with pytest.raises(InputError, match=r'an array \[80, 96, 3\], a single picture'):
        linear.init_state(pictures[0])


def test_a_label_that_is_refused_does_not_say_how_many_joints_there_are(linear, state):
    with pytest.raises(InputError):
        linear.add_labels(state, frame_idx=9, person_id=1, keypoints=POSE[:2])
    linear.add_labels(state, frame_idx=0, person_id=1, keypoints=POSE)
    assert [len(result.keypoints[0]) for result in linear.propagate_in_video(state)] == [3] * 9


def test_large_ids_keep_their_digits(label, video):
    """A floating point number has 53 bits."""
    propagator = VideoPosePropagator(method='linear')
    large = 2**63 - 1
    people = [label(0, [[10, 10], [5, 20], [15, 20]], track_id=large - i) for i in range(2)]
    frames = ArrayFrames(np.zeros((2, 40, 40, 3), np.uint8))
    state = propagator.init_state(frames, video(people, 2))

    for result in propagator.propagate_in_video(state):
        assert result.person_ids.tolist() == [large - 1, large]


def test_accuracy_is_measured_on_hidden_labels(linear, state):
    """Person 3 moves on a line but in frame 4; hidden, its label comes out as those around it."""
    for frame, x in ((0, 0), (2, 2), (4, 40), (6, 6)):
        linear.add_labels(state, frame, 3, POSE + np.array([x, 0]))
    linear.add_labels(state, 4, 1, POSE)
    given = {person: dict(track) for person, track in state.tracks.items()}
    first, second = linear.measure_in_video(state)
    places = [(label.track_id, label.frame_index) for label in (*first.labels, *second.labels)]
    assert places == [(3, 2), (3, 4)]
    (earlier, _) = linear.measure_in_video(state, later=[2])
    assert [label.frame_index for label in earlier.labels] == [4]
    # By hand: of frame 2, halfway to x = 40, 18 px; of frame 4, 36 px; the pose is 20 px high.
    np.testing.assert_allclose(first.errors, [18 / 20] * 3)
    np.testing.assert_allclose(second.errors, [36 / 20] * 3)
    assert state.tracks == given


@pytest.mark.parametrize(('box', 'error'), [((10, 40), 4 / 40), (None, 4 / 50)])
def test_accuracy_is_measured_on_a_single_joint(linear, folder, box, error):
    """It stands, but for frame 3, and is not where it is expected there by 4 pixels."""
    people = [
        PersonLabel(n, np.array([[x, 9.0]]), [2], 0, bbox=box and np.array([0, 0, *box]))
        for n, x in ((0, 20), (3, 24), (8, 20))
    ]
    frames = tuple(VideoFrame(person.frame_index) for person in people)
    labels = VideoLabels('ball', Skeleton(('ball',)), frames, tuple(people))
    (measured,) = linear.measure_in_video(linear.init_state(folder, labels))
    assert measured.errors.tolist() == pytest.approx([error])


def test_poses_between_labels_are_the_same_after_measuring(linear, state):
    for frame, x in ((0, 0), (3, 2), (8, 6)):
        linear.add_labels(state, frame, 3, POSE + np.array([x, 0]))
    before = [result.keypoints for result in run(linear, state)]
    assert len(list(linear.measure_in_video(state))) == 1
    np.testing.assert_array_equal([result.keypoints for result in run(linear, state)], before)


def test_a_measurement_is_not_computed_twice(linear, state):
    linear.propagator = spy = SpyPropagator()
    for frame in (0, 3, 8):
        linear.add_labels(state, frame, 3, POSE)
    for _ in range(2):
        assert len(list(linear.measure_in_video(state))) == 1
    assert [gap.frames for gap in spy.gaps] == [range(1, 8)]


def test_nothing_is_measured_without_a_label_between_two_others(linear, state):
    for person, frames in ((1, (0, 8)), (2, (3,))):
        for frame in frames:
            linear.add_labels(state, frame, person, POSE)
    assert not list(linear.measure_in_video(state))


def test_a_measurement_goes_on_with_the_labels_that_it_began_with(linear, state):
    for frame in (0, 2, 4, 6):
        linear.add_labels(state, frame, 3, POSE + frame)
    measured = linear.measure_in_video(state)
    assert next(measured).right.all()
    linear.add_labels(state, 6, 3, POSE + 100)
    assert next(measured).right.all()
