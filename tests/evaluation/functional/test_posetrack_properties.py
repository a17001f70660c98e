from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpose_mm.evaluation.functional import evaluate_posetrack
from stdpose_mm.evaluation.functional import posetrack as posetrack_module
from stdpose_mm.io.labels import read_posetrack18
from stdpose_mm.structures import (
    POSETRACK_SKELETON,
    PersonLabel,
    PolygonRegion,
    VideoFrame,
    VideoLabels,
)
from support.plain_posetrack import plain_evaluation
from support.posetrack_videos import GOLDEN, HEAD_BOX, SCENARIOS

FIELDS = ('ap', 'precision', 'recall', 'mota', 'motp')
Videos = tuple[list[VideoLabels], list[VideoLabels]]


def random_videos(seed: int, max_videos: int = 3) -> Videos:
    """Crowded little videos: people share a few places, so that ties and contests are common.

    All distances differ a little, since of equally good matchings either may be taken.
    """
    rng = np.random.default_rng(seed)
    truth, predictions = [], []
    places = rng.integers(0, 20, (3, 17, 2)) * 4.0
    for v in range(rng.integers(1, max_videos + 1)):
        frames = []
        for t in range(rng.integers(1, 6)):
            regions = (PolygonRegion(rng.uniform(0, 60, (3, 2))),) if rng.random() < 0.3 else ()
            frames.append(VideoFrame(t, ignore_regions=regions))
        for side, noise in ((truth, 0.5), (predictions, 3.0)):
            people = []
            for frame in frames:
                for i in rng.permutation(6)[: rng.integers(0, 5)]:
                    people.append(
                        PersonLabel(
                            frame.index,
                            places[i % 3] + noise * rng.normal(size=(17, 2)) + 0.5,
                            2 * (rng.random(17) < 0.8),
                            int(i),
                            scores=rng.random(17),
                            head_box=np.array([0.0, 0.0, 12.0, 10.0]),
                        )
                    )
            side.append(VideoLabels(f'v{v}', POSETRACK_SKELETON, tuple(frames), tuple(people)))
    return truth, predictions


SEEDS = st.integers(0, 2**32 - 1)


def _assert_equal(pair: Videos, other: Videos) -> None:
    scores, others = evaluate_posetrack(*pair), evaluate_posetrack(*other)
    for field in FIELDS:
        np.testing.assert_allclose(
            getattr(scores, field), getattr(others, field), atol=1e-9, err_msg=field
        )


@pytest.mark.slow
@settings(max_examples=75, deadline=None)
@given(SEEDS)
def test_agrees_with_plain_loops(seed: int) -> None:
    pair = random_videos(seed)
    scores, expected = evaluate_posetrack(*pair), plain_evaluation(*pair)
    for field, name in zip(FIELDS, ('AP', 'precision', 'recall', 'MOTA', 'MOTP'), strict=True):
        np.testing.assert_allclose(getattr(scores, field), expected[name], atol=1e-9, err_msg=name)


@pytest.mark.parametrize('name', SCENARIOS)
def test_plain_loops_agree_with_the_official_evaluator_too(name: str) -> None:
    files = sorted(path.name for path in (GOLDEN / name / 'gt').iterdir())
    pair = [
        [read_posetrack18(GOLDEN / name / side / file) for file in files] for side in ('gt', 'pred')
    ]
    scores, expected = evaluate_posetrack(*pair), plain_evaluation(*pair)
    np.testing.assert_allclose(expected['AP'], scores.ap, atol=1e-9)
    np.testing.assert_allclose(expected['MOTA'], scores.mota, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_videos_does_not_matter(seed: int, random: Random) -> None:
    pair = random_videos(seed)
    order = list(range(len(pair[0])))
    random.shuffle(order)
    _assert_equal(pair, ([pair[0][i] for i in order], [pair[1][i] for i in order]))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from((0.25, 0.5, 2.0, 8.0)))
def test_scaling_the_picture_changes_nothing(seed: int, factor: float) -> None:
    pair = random_videos(seed)

    def scaled(labels: VideoLabels) -> VideoLabels:
        frames = [
            replace(
                f, ignore_regions=tuple(PolygonRegion(r.points * factor) for r in f.ignore_regions)
            )
            for f in labels.frames
        ]
        people = [
            replace(p, keypoints=p.keypoints * factor, head_box=p.head_box * factor)
            for p in labels.persons
        ]
        return replace(labels, frames=tuple(frames), persons=tuple(people))

    _assert_equal(pair, tuple([scaled(labels) for labels in side] for side in pair))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 1000))
def test_the_names_of_identities_do_not_matter(seed: int, offset: int) -> None:
    pair = random_videos(seed)
    renamed = [
        labels.with_persons([replace(p, track_id=offset - p.track_id) for p in labels.persons])
        for labels in pair[1]
    ]
    _assert_equal(pair, (pair[0], renamed))


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_perfect_predictions_reach_100(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = []
    for t in range(3):
        for i in range(3):
            # 100 px apart: nobody is in reach of another.
            points = np.array([100.0 * i, 0.0]) + rng.uniform(0, 30, (17, 2))
            people.append(
                PersonLabel(
                    t,
                    points,
                    np.full(17, 2),
                    i,
                    rng.random(17),
                    head_box=HEAD_BOX,
                )
            )
    labels = VideoLabels(
        'v', POSETRACK_SKELETON, tuple(VideoFrame(t) for t in range(3)), tuple(people)
    )
    scores = evaluate_posetrack([labels], [labels])
    for field in FIELDS:
        np.testing.assert_allclose(getattr(scores, field), 100)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_the_size_of_chunks_does_not_matter(seed: int) -> None:
    pair = random_videos(seed)
    whole = evaluate_posetrack(*pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posetrack_module, '_MAX_CHUNK', 1)
        chunks = evaluate_posetrack(*pair)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(whole, field), getattr(chunks, field))
