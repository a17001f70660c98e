"""Rescaling of labels that were made on pictures of a different size than the video's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stdpose_mm.constants import FrameSubject
from stdpose_mm.errors import InputError
from stdpose_mm.structures import PersonLabel, PolygonRegion, VideoFrame, VideoLabels

from .limits import require_readable

Size = tuple[int, int]
"""(width, height) in pixels."""

MANY_OUTSIDE = 0.5
"""Share of joints outside the picture above which labels must belong to another size."""

SOME_OUTSIDE = 0.25
"""The same share if a picture of twice the size would contain all joints."""

_ENLARGED = (2, 3, 4)

_ALIKE = 1.05
"""Sides whose ratios differ by less than this factor count as of the same shape."""


def fit_size(
    labels: VideoLabels,
    size: Size,
    labels_size: Size | None = None,
    subject: FrameSubject = 'labels',
) -> VideoLabels:
    """Rescale labels to the size of their video.

    Args:
        labels: Labels of the video.
        size: Size of the video.
        labels_size: Size of the pictures that the labels were made on, for a file that does not
            state it, or to rescale the labels; None if it equals ``size``. Its shape may differ
            from the video's (anamorphic video has pictures that are shown wider or narrower), but
            it must not be that of a turned picture.
        subject: What the file holds; it decides which remedy errors name.

    Returns:
        The labels, rescaled if ``labels_size`` is given; their frames then have the video's size.

    Raises:
        InputError: If the file states another size, or states none and so many joints lie outside
            the picture that the labels must belong to another size, or the labels were made on
            turned pictures.
    """
    if labels_size is not None:
        _require_stated(labels, size, labels_size)
        if is_turned(labels_size, size):
            raise _turned_error(labels, size, labels_size, subject)
        return rescale_labels(labels, labels_size, size)
    text = f'{size[0]}x{size[1]}'
    for frame in labels.frames:
        stated = frame.width or size[0], frame.height or size[1]
        if is_turned(stated, size):
            raise _turned_error(labels, size, stated, subject, f' (frame {frame.index})')
        if stated != size:
            remedy = (
                f'--labels-size {stated[0]}x{stated[1]} to rescale the labels'
                if subject == 'labels'
                else f'{subject} that were made at {text}'
            )
            raise InputError(
                f'the {subject} of {labels.name} were made at {stated[0]}x{stated[1]} pixels '
                f'(frame {frame.index}), but the frames of the video are {text}, give frames of '
                f'that size or {remedy}'
            )
    unstated = {frame.index for frame in labels.frames if not (frame.width and frame.height)}
    people = [
        _points(person, subject) for person in labels.persons if person.frame_index in unstated
    ]
    points = np.concatenate([np.empty((0, 2)), *people])
    if not len(points) or not all(size):
        return labels
    share = _outside(points, size).mean()
    larger = [(k * size[0], k * size[1]) for k in _ENLARGED]
    holding = [other for other in larger if not _outside(points, other).any()]
    twice = holding[:1] == larger[:1]
    # A program may have made up a person, but nobody labels one outside of the picture.
    lost = subject != 'estimates' and any(
        len(place) > 2 and bool(_outside(place, size).all()) for place in people
    )
    if share > MANY_OUTSIDE or (twice and share > SOME_OUTSIDE) or lost:
        furthest = points[np.argmax((points / size).max(axis=1))]
        example = holding[0] if holding else larger[0]
        turned = size[::-1]
        if is_turned(turned, size) and not _outside(points, turned).any():
            # A larger size would hold these joints, too, and squeeze the poses.
            raise InputError(
                f'{_outside(points, size).sum()} of {len(points)} joints or centres of boxes of '
                f'the {subject} {labels.name} lie outside the {text} pictures of the video (one at '
                f'{furthest[0]:.0f}, {furthest[1]:.0f}), but all within turned ones of '
                f'{turned[0]}x{turned[1]}, {_turned_remedy(size, subject)}'
                + (
                    f', or --labels-size WxH ({example[0]}x{example[1]}, perhaps) if they were '
                    'made on larger ones that were not turned'
                    if subject == 'labels'
                    else ''
                )
            )
        what = 'joints or centres of boxes' if subject == 'boxes' else f'joints of {subject}'
        remedy = (
            '--labels-size WxH, the size of the pictures that were labelled '
            f'({example[0]}x{example[1]}, perhaps; {text} if they are right), or the video that '
            'was labelled'
            if subject == 'labels'
            else f'the video of these {subject} ({example[0]}x{example[1]}, perhaps), or {subject} '
            f'that were made at {text}'
        )
        raise InputError(
            f'{_outside(points, size).sum()} of {len(points)} {what} {labels.name} lie '
            f'outside the {text} pictures of the video (one at {furthest[0]:.0f}, '
            f'{furthest[1]:.0f}), give {remedy}'
        )
    return labels


def is_turned(labelled: Size, size: Size) -> bool:
    """Tell whether pictures of a size have the shape of a video's after a quarter turn.

    Args:
        labelled: Size of the pictures that were labelled.
        size: Size of the video.
    """
    if not all(labelled) or not all(size):
        return False
    straight = _ratio(labelled[0] * size[1], labelled[1] * size[0])
    turned = _ratio(labelled[0] * size[0], labelled[1] * size[1])
    return turned < _ALIKE < straight


def _ratio(one: int, other: int) -> float:
    return max(one, other) / min(one, other)


def _turned_error(
    labels: VideoLabels, size: Size, labelled: Size, subject: FrameSubject, where: str = ''
) -> InputError:
    """Word that labels were made on turned pictures: rescaling would squeeze the poses."""
    return InputError(
        f'the {subject} of {labels.name} were made at {labelled[0]}x{labelled[1]} pixels{where}, '
        f'the shape of a turned picture, but the frames of the video are {size[0]}x{size[1]} as '
        f'they are shown, {_turned_remedy(size, subject)}'
    )


def _turned_remedy(size: Size, subject: FrameSubject) -> str:
    return (
        f'give {subject} that were made on the pictures as they are shown ({size[0]}x{size[1]}), '
        f'or, in place of the video, a folder of the pictures that these {subject} were made on'
    )


def _require_stated(labels: VideoLabels, size: Size, labels_size: Size) -> None:
    for frame in labels.frames:
        stated = frame.width or labels_size[0], frame.height or labels_size[1]
        if stated != labels_size:
            text = f'{stated[0]}x{stated[1]}'
            remedy = 'leave it out' if stated == size else f'give --labels-size {text}'
            raise InputError(
                f'the file with the labels of {labels.name} says that they were made at {text} '
                f'pixels (frame {frame.index}), but --labels-size is '
                f'{labels_size[0]}x{labels_size[1]}, {remedy}, or correct the size in the file'
            )


def rescale_labels(labels: VideoLabels, old: Size, new: Size) -> VideoLabels:
    """Convert labels made on pictures of one size to those of another.

    The corners of both pictures coincide; the centre of the top-left pixel is (0, 0) in both:
    ``x' = (x + 0.5) s - 0.5``. Boxes and ignore regions are rescaled too; visibility, scores and
    sources stay. Outlines of COCO (``segmentation``), which this package does not interpret, are
    dropped, their ``area`` is scaled.

    Args:
        labels: The labels.
        old: Size of the pictures that the labels were made on.
        new: Size of the frames of the result.

    Raises:
        InputError: If rescaled coordinates are too large to be written.
    """
    scale = np.divide(new, old)
    rescaled = replace(
        labels,
        frames=tuple(_rescale_frame(frame, scale, new) for frame in labels.frames),
        persons=tuple(_rescale_person(person, scale) for person in labels.persons),
    )
    require_readable(rescaled)
    return rescaled


def _rescale_frame(frame: VideoFrame, scale: np.ndarray, size: Size) -> VideoFrame:
    regions = tuple(
        PolygonRegion(_rescale_points(region.points, scale)) for region in frame.ignore_regions
    )
    return replace(frame, width=size[0], height=size[1], ignore_regions=regions)


def _rescale_person(person: PersonLabel, scale: np.ndarray) -> PersonLabel:
    extra = {name: value for name, value in person.extra.items() if name != 'segmentation'}
    if type(extra.get('area')) in (int, float):
        extra['area'] = float(extra['area'] * scale.prod())
    return replace(
        person,
        keypoints=_rescale_points(person.keypoints, scale),
        bbox=_rescale_box(person.bbox, scale),
        head_box=_rescale_box(person.head_box, scale),
        extra=extra,
    )


def _rescale_points(points: np.ndarray, scale: np.ndarray) -> np.ndarray:
    # Exact where the scale is 1.
    return np.where(scale == 1, points, (points + 0.5) * scale - 0.5)


def _rescale_box(box: np.ndarray | None, scale: np.ndarray) -> np.ndarray | None:
    if box is None:
        return None
    return np.concatenate([_rescale_points(box[:2], scale), box[2:] * scale])


def _points(person: PersonLabel, subject: FrameSubject) -> np.ndarray:
    """Return the given joints, else the centre of a given box, [N, 2]; of estimates all joints."""
    if subject == 'estimates':
        return person.keypoints[person.labelled]
    points = person.keypoints[person.given]
    if not len(points) and person.has_box and person.source == 'given':
        assert person.bbox is not None
        return (person.bbox[:2] + person.bbox[2:] / 2)[None]
    return points


def _outside(points: np.ndarray, size: Size) -> np.ndarray:
    """Tell which points [N, 2] lie outside a picture, which covers -0.5 to ``size`` - 0.5."""
    return ((points < -0.5) | (points > np.subtract(size, 0.5))).any(axis=1)
