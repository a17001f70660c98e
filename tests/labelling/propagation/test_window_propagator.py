from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import propagate_labels, require_method
from stdpose_mm.labelling.propagation.window import (
    PerFramePropagator,
    SemanticMotionPropagator,
    STDPosePropagator,
    method_of,
)
from stdpose_mm.structures import Skeleton, VideoFrame, VideoLabels
from stdpose_mm.structures.joint_mapping import JointMapping
from support.tiny_models import moving_pictures, semantic_motion, window_model

NAMES = ('head', 'left_hand', 'right_hand')
POSE = np.array([[30, 20], [20, 45], [44, 40]], float)
FIELDS = {'bbox': [12, 10, 44, 44]}


def model_of(*names, untrained=(), **changes):
    model = window_model(Skeleton(names or NAMES), **changes)
    model.trained_joints = np.array(
        [name not in untrained for name in model.skeleton.keypoint_names]
    )
    return model


def propagate(
    persons, num_frames, model, names=NAMES, propagator_class=STDPosePropagator, **options
):
    labels = VideoLabels(
        'clip', Skeleton(names), tuple(VideoFrame(n) for n in range(num_frames)), tuple(persons)
    )
    dense = propagate_labels(
        ArrayFrames(moving_pictures(num_frames)), labels, propagator_class(model, **options)
    )
    return {(p.frame_index, p.track_id): p for p in dense.persons}


def test_the_pose_is_that_of_the_final_maps(label):
    model = model_of()
    persons = [label(0, POSE, [2, 1, 0], **FIELDS), label(4, POSE + 4, [2, 0, 0], **FIELDS)]
    dense = propagate(persons, 5, model)
    propagator = STDPosePropagator(model)
    seen = []
    original = propagator.heatmap_estimator.heatmaps

    def remember(*arguments):
        for gap, maps in original(*arguments):
            seen.append(maps)
            yield gap, maps

    propagator.heatmap_estimator.heatmaps = remember
    again = propagate(persons, 5, model, propagator_class=lambda _: propagator)
    (maps,) = seen
    keypoints, scores = model.decode(maps.final_heatmaps, maps.crops)
    for frame in (1, 2, 3):
        person = dense[frame, 0]
        np.testing.assert_array_equal(person.keypoints, again[frame, 0].keypoints)
        np.testing.assert_array_equal(person.keypoints, keypoints[frame])
        np.testing.assert_array_equal(person.scores, scores[frame])
        assert person.source == 'propagated'
    # The nearest label's, and visible where the track knows nothing.
    assert dense[1, 0].visibility.tolist() == [2, 1, 2]


@pytest.mark.parametrize('propagator_class', [STDPosePropagator, PerFramePropagator])
def test_every_person_is_in_every_frame_once(label, propagator_class):
    model = model_of(test_cfg={'use_frame_head': propagator_class is PerFramePropagator})
    persons = [
        label(frame, POSE, None, track, **FIELDS) for track, frame in ((1, 0), (1, 6), (2, 3))
    ]
    dense = propagate(persons, 9, model, propagator_class=propagator_class)
    assert sorted(dense) == [(frame, track) for frame in range(9) for track in (1, 2)]


def test_joints_are_mapped_by_name(label):
    order = [2, 0, 1]
    names = tuple(NAMES[n] for n in order)
    model = model_of('right_hand', 'tail', 'head', 'left_hand')
    plain = propagate([label(0, POSE, [2, 2, 1], **FIELDS)], 4, model)
    permuted = propagate([label(0, POSE[order], [1, 2, 2], **FIELDS)], 4, model, names)
    for frame in range(4):
        np.testing.assert_array_equal(
            plain[frame, 0].keypoints[order], permuted[frame, 0].keypoints
        )
        np.testing.assert_array_equal(
            plain[frame, 0].visibility[order], permuted[frame, 0].visibility
        )


def test_mapping_there_and_back():
    everything = np.ones(4, bool)
    mapping = JointMapping.by_name(
        Skeleton(NAMES),
        Skeleton(('right_hand', 'tail', 'head', 'left_hand')),
        everything[:3],
        everything,
    )
    np.testing.assert_array_equal(mapping.to_model(POSE), [POSE[2], [0, 0], POSE[0], POSE[1]])
    np.testing.assert_array_equal(mapping.to_labels(np.array([1, 2, 3, 4])), [3, 4, 1])


@pytest.mark.parametrize(
    'model', [model_of('head', 'left_hand'), model_of(untrained=['right_hand'])]
)
def test_an_unlabelled_joint_that_the_model_cannot_estimate_stays_not_labelled(label, model):
    dense = propagate([label(0, POSE, [2, 2, 0], **FIELDS)], 2, model)
    assert dense[1, 0].visibility.tolist() == [2, 2, 0]
    assert dense[1, 0].scores[2] == 0


def second_system():
    return model_of(**semantic_motion(3, labels=True))


def test_the_second_system_runs_over_gaps_and_sees_the_labels(label):
    model = second_system()

    def run(right):
        persons = [label(0, POSE, **FIELDS), label(4, right, **FIELDS)]
        return propagate(persons, 5, model, propagator_class=SemanticMotionPropagator)

    near, far = run(POSE + 2), run(POSE + 6)
    assert sorted(near) == [(frame, 0) for frame in range(5)]
    assert not np.array_equal(near[3, 0].keypoints, far[3, 0].keypoints)


def test_the_method_must_be_that_of_the_model():
    with pytest.raises(
        InputError, match=r'needs a model with neck .*, got STRE, choose the method'
    ):
        SemanticMotionPropagator(model_of())
    with pytest.raises(InputError, match='needs a model with neck STRE or NoneType, got '):
        STDPosePropagator(second_system())


def test_the_second_system_without_an_embedding_of_labels_is_refused():
    model = model_of(**semantic_motion(3))
    with pytest.raises(InputError, match=r'takes no labels.*propagation_synthetic.*auto') as caught:
        require_method('semantic-motion')(window_model=model)
    assert '\n' not in str(caught.value)


def test_the_frame_head_of_the_second_system_is_not_run(label):
    model = second_system()
    runs = []
    hook = model.model.frame_head.deconv_layers.register_forward_hook(lambda *_: runs.append(1))
    persons = [label(0, POSE, **FIELDS), label(4, POSE, **FIELDS)]
    dense = propagate(persons, 5, model, propagator_class=SemanticMotionPropagator)
    hook.remove()
    assert len(dense) == 5
    assert not runs


def test_a_model_says_which_method_it_is_of():
    models = {'stdpose': model_of(), 'semantic-motion': second_system()}
    for method, model in models.items():
        assert method_of(type(model.model.neck)) == method
    assert method_of(type(None)) == 'stdpose'
    with pytest.raises(InputError, match='no propagation method uses models with neck int'):
        method_of(int)
