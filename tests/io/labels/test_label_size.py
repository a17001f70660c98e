"""Labels made on pictures of another size than the video's."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import fit_size, rescale_labels
from stdpose_mm.structures import PersonLabel, PolygonRegion, Skeleton, VideoFrame, VideoLabels
from support.label_samples import videos

SIZE = (64, 48)

Points = Sequence[tuple[float, float]]


def labels_at(*people: Points, size: tuple[int, int] | None = None) -> VideoLabels:
    """One frame with people of three joints each."""
    width, height = size or (None, None)
    labels = [
        PersonLabel(0, np.array(points, float), np.full(3, 2), track_id)
        for track_id, points in enumerate(people)
    ]
    frame = VideoFrame(0, width=width, height=height)
    return VideoLabels('clip', Skeleton(('a', 'b', 'c')), (frame,), tuple(labels))


INSIDE = ((0.0, 0.0), (20.0, 30.0), (63.4, 47.4))


class TestRescaling:
    def test_pixels_are_counted_from_the_centre_of_the_first(self) -> None:
        """The first pixel of a picture covers the first two of its double: centres 0 and 1."""
        labels = labels_at(((0.5, 1), (2.5, 4), (127, 142)))
        (person,) = rescale_labels(labels, (128, 144), SIZE).persons
        expected = np.array([[0, 0], [1, 1], [63.25, 47]])
        assert person.keypoints == pytest.approx(expected, abs=1e-12)

    def test_boxes_and_regions_go_along(self) -> None:
        labels = labels_at(INSIDE)
        person = replace(
            labels.persons[0],
            bbox=np.array([0.5, 2.5, 20, 30]),
            head_box=np.array([-0.5, 0.5, 4, 6]),
            extra={'segmentation': [[1, 2, 3]], 'note': 'kept'},
        )
        region = PolygonRegion(np.array([[0.5, 2.5], [4.5, 6.5]]))
        frame = VideoFrame(0, width=128, height=96, ignore_regions=(region,))
        labels = replace(labels, frames=(frame,), persons=(person,))
        result = rescale_labels(labels, (128, 96), SIZE)
        assert result.persons[0].bbox.tolist() == [0, 1, 10, 15]
        assert result.persons[0].head_box.tolist() == [-0.5, 0, 2, 3]
        assert result.persons[0].extra == {'note': 'kept'}
        assert result.frames[0].ignore_regions[0].points.tolist() == [[0, 1], [2, 3]]
        assert (result.frames[0].width, result.frames[0].height) == SIZE

    # Labels may be 1e6 pixels away, and must stay within 1e7.
    @given(
        videos(),
        st.tuples(*[st.integers(1, 8000)] * 4).filter(
            lambda sizes: sizes[2] <= 9 * sizes[0] and sizes[3] <= 9 * sizes[1]
        ),
    )
    def test_there_and_back_is_the_same(self, labels: VideoLabels, sizes: tuple[int, ...]) -> None:
        old, new = sizes[:2], sizes[2:]
        back = rescale_labels(rescale_labels(labels, old, new), new, old)
        for person, expected in zip(back.persons, labels.persons, strict=True):
            assert np.allclose(person.keypoints, expected.keypoints, rtol=1e-12, atol=1e-8)
            assert np.array_equal(person.visibility, expected.visibility)
            assert np.array_equal(person.keypoint_sources, expected.keypoint_sources)
            assert (person.scores is None) == (expected.scores is None)
            assert person.scores is None or np.array_equal(person.scores, expected.scores)
            for name in ('bbox', 'head_box'):
                box, given_box = getattr(person, name), getattr(expected, name)
                assert (box is None) == (given_box is None)
                assert box is None or np.allclose(box, given_box, rtol=1e-12, atol=1e-8)


@pytest.mark.parametrize(
    ('old', 'new', 'ratios'),
    [
        ((320, 320), (320, 240), ('1.00', '1.33')),
        ((640, 352), (1920, 1080), ('1.82', '1.78')),
        ((1920, 1088), (1920, 1080), ('1.76', '1.78')),
        ((1080, 1080), (1080, 1350), ('1.00', '0.80')),
        # Rounding to whole pixels.
        ((640, 360), (1920, 1080), None),
        ((853, 480), (1920, 1080), None),
        ((1920, 1080), (426, 240), None),
        ((240, 136), (1920, 1080), None),
        ((64, 48), (64, 48), None),
    ],
)
def test_a_stretch_is_told_with_both_aspect_ratios(
    old: tuple[int, int], new: tuple[int, int], ratios: tuple[str, str] | None
):
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter('always')
        fitted = fit_size(labels_at(INSIDE), new, old)
    np.testing.assert_array_equal(
        fitted.persons[0].keypoints,
        rescale_labels(labels_at(INSIDE), old, new).persons[0].keypoints,
    )
    told = [re.findall(r'aspect ratio ([0-9.]+)', str(message.message)) for message in notes]
    assert told == ([] if ratios is None else [[*ratios]])


@pytest.mark.parametrize(('size', 'is_told'), [((64, 64), True), ((128, 96), False)])
def test_the_advice_to_rescale_tells_when_it_is_wrong(size: tuple[int, int], is_told: bool):
    with pytest.raises(InputError, match=f'--labels-size {size[0]}x{size[1]}') as error:
        fit_size(labels_at(INSIDE, size=size), SIZE)
    assert ('unless black edges were added' in str(error.value)) == is_told


def beyond(**known: object) -> VideoLabels:
    return labels_at(((70, 10), (80, 20), (90, 40)), **known)


class TestFit:
    @pytest.mark.parametrize(
        'labels',
        [
            labels_at(INSIDE),
            # A hand beyond the border.
            labels_at(INSIDE, ((-5.0, 20.0), (10.0, 20.0), (10.0, 30.0))),
            # A stated size is believed, and what was propagated does not count.
            beyond(size=SIZE),
            beyond().with_persons([beyond().persons[0].with_source('propagated')]),
        ],
    )
    def test_labels_that_pass(self, labels: VideoLabels) -> None:
        assert fit_size(labels, SIZE) is labels

    def test_the_same_size_changes_no_digit(self) -> None:
        labels = labels_at(((1 / 3, 2 / 7), (-5.123456789, 20.1), (10.7, 30.3)))
        (person,) = rescale_labels(labels, (77, 33), (77, 33)).persons
        assert np.array_equal(person.keypoints, labels.persons[0].keypoints)

    def test_boxes_count_where_there_are_no_joints(self) -> None:
        person = PersonLabel(0, np.zeros((3, 2)), np.zeros(3), 0, bbox=np.array([90, 20, 9, 9]))
        with pytest.raises(InputError, match='lie outside'):
            fit_size(labels_at(INSIDE).with_persons([person]), SIZE)

    def test_a_stated_size_must_be_the_videos(self) -> None:
        with pytest.raises(InputError, match=r'made at 128x96 .* 64x48, .* --labels-size 128x96'):
            fit_size(labels_at(INSIDE, size=(128, 96)), SIZE)

    @pytest.mark.parametrize('stated', [None, (128, 96)])
    def test_the_user_says_the_size(self, stated: tuple[int, int] | None) -> None:
        labels = labels_at(((0.5, 0.5), (2.5, 4.5), (120.5, 80.5)), size=stated)
        fitted = fit_size(labels, SIZE, (128, 96))
        assert fitted.persons[0].keypoints.tolist() == [[0, 0], [1, 2], [60, 40]]
        assert fit_size(fitted, SIZE) is fitted

    @pytest.mark.parametrize('stated', [(192, 144), SIZE])
    def test_the_user_does_not_contradict_the_file(self, stated: tuple[int, int]) -> None:
        labels = labels_at(INSIDE, size=stated)
        text = f'{stated[0]}x{stated[1]}'
        message = rf'made at {text} pixels .* --labels-size is 128x96, leave it out or correct'
        with pytest.raises(InputError, match=message):
            fit_size(labels, SIZE, (128, 96))

    @pytest.mark.parametrize(
        ('people', 'told'),
        [
            # As on a picture of twice the size, mostly in its first quarter.
            ([((30, 20), (34, 60), (38, 90)), ((20, 10), (22, 30), (24, 40))], ''),
            # Somebody altogether outside.
            ([INSIDE, INSIDE, INSIDE, ((70, 10), (80, 20), (90, 40))], ''),
            # Mostly outside, on any side.
            ([((-70, 10), (-80, 20), (10, 40))], ''),
            (
                [((60, 40), (70, 60), (66, 90)), ((1, 1), (50, 4), (40, 50))],
                r'3 of 6 joints .* at 66, 90',
            ),
        ],
        ids=['quarter', 'one outside', 'negative', 'twice the size'],
    )
    def test_labels_that_belong_to_another_picture_are_refused(
        self, people: list[Points], told: str
    ) -> None:
        with pytest.raises(
            InputError, match=r'lie outside the 64x48 .* --labels-size WxH'
        ) as refused:
            fit_size(labels_at(*people), SIZE)
        assert re.search(told, str(refused.value))


class TestTurnedPictures:
    """A telephone notes a rotation; a tool that ignores it shows pictures on their side."""

    LABELLED, SHOWN = (1920, 1080), (1080, 1920)

    @pytest.mark.parametrize('labelled', [(1920, 1080), (1280, 720)])
    def test_labels_of_turned_pictures_are_refused_without_advice_to_rescale(
        self, labelled: tuple[int, int]
    ) -> None:
        text = f'{labelled[0]}x{labelled[1]}'
        message = rf'made at {text} .* turned .* shown at 1080x1920, .* a folder of the pictures'
        with pytest.raises(InputError, match=message) as told:
            fit_size(labels_at(INSIDE, size=labelled), self.SHOWN)
        assert '--labels-size' not in str(told.value)

    @pytest.mark.parametrize('stated', [None, (1920, 1080)])
    def test_they_are_not_rescaled(self, stated: tuple[int, int] | None) -> None:
        with pytest.raises(InputError, match=r'made at 1920x1080 pixels, as on turned pictures'):
            fit_size(labels_at(INSIDE, size=stated), self.SHOWN, self.LABELLED)

    def test_a_file_without_sizes_may_hold_them(self) -> None:
        labels = labels_at(((1500.0, 500.0), (1700.0, 900.0), (1100.0, 40.0)))
        message = r'3 of 3 .* all inside turned pictures of 1920x1080: .* a folder of the pictures'
        with pytest.raises(InputError, match=message):
            fit_size(labels, self.SHOWN)

    @pytest.mark.parametrize(
        ('labelled', 'size'),
        [
            # Anamorphic: PAL as it is stored, and as it is shown.
            ((1024, 576), (720, 576)),
            # Nearly square: a quarter turn is not seen in the size.
            ((100, 98), (98, 100)),
            # Cut off at the sides before it was labelled.
            ((640, 480), (1920, 1080)),
        ],
    )
    def test_other_shapes_may_be_rescaled(
        self, labelled: tuple[int, int], size: tuple[int, int]
    ) -> None:
        fitted = fit_size(labels_at(INSIDE), size, labelled)
        assert (fitted.frames[0].width, fitted.frames[0].height) == size


@pytest.mark.parametrize(
    ('labels', 'size', 'message'),
    [
        (
            labels_at(INSIDE, size=(128, 96)),
            SIZE,
            r'boxes of clip were made at 128x96 .* shown at 64x48.* boxes that were made at 64x48',
        ),
        (
            labels_at(((100.0, 5.0),) * 3),
            SIZE,
            r'3 of 3 joints or centres of boxes of clip .* 64x48.* boxes that were made at 64x48',
        ),
        (
            labels_at(INSIDE, size=(1920, 1080)),
            (1080, 1920),
            'give boxes that were made on the pictures',
        ),
    ],
)
def test_boxes_are_refused_by_sentences_without_options_for_labels(
    labels: VideoLabels, size: tuple[int, int], message: str
) -> None:
    with pytest.raises(InputError, match=message) as told:
        fit_size(labels, size, subject='boxes')
    assert '--' not in str(told.value)
