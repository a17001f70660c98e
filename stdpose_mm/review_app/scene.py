"""Several calibrated videos of one scene: what the labels in some say about the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

import numpy as np

from stdpose_mm.labelling.evidence.views import (
    View,
    correct_cameras,
    find_exchanged,
    fuse_views,
    match_people,
)
from stdpose_mm.labelling.review.suspicious_labels import LabelWarning, NamedPlace
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
    is_outside,
)
from stdpose_mm.structures.camera import Camera

from .drafts import Draft
from .messages import SHOWN_DECIMALS, SceneLines, SceneVideo

_NEAREST, _FURTHEST, _LINE_POINTS = 0.02, 50.0, 100
"""Depths between which the ray of a pixel is drawn, in distances of the two cameras."""

_MAX_NAMED = 5


@dataclass(frozen=True)
class _Findings:
    """What the labels of all videos say.

    Args:
        cameras: The camera of each video, turned if the labels say that its calibration is wrong.
        wrong: What is wrong with the calibration, for the user.
        people: The track id of each person in every video.
        drafts: Drafts of each video by frame.
        exchanged: Labels of each video with exchanged sides: their frame and person, and the names
            of cameras that may be those that are wrong.
    """

    cameras: dict[int, Camera]
    wrong: str | None = None
    people: list[dict[int, int | None]] = field(default_factory=list)
    drafts: dict[int, dict[int, list[Draft]]] = field(default_factory=dict)
    exchanged: dict[int, list[tuple[int, int, list[str]]]] = field(default_factory=dict)


class Scene:
    """The videos of a scene; any thread may call any method.

    Each video publishes its labels, so that nobody holds the locks of two videos.

    Args:
        cameras: Number of each video in the project -> its camera; more may be added.
        starts: Number of each video -> the time of its first frame, in frames; 0 by default.
    """

    def __init__(self, cameras: dict[int, Camera], starts: dict[int, int] | None = None) -> None:
        self.cameras = cameras
        self.starts = starts or dict.fromkeys(cameras, 0)
        self._lock = Lock()
        self._labels: dict[int, tuple[Skeleton, list[PersonLabel]]] = {}
        self._lengths: dict[int, int] = {}
        self._findings: _Findings | None = _Findings(cameras)

    def others(self, number: int) -> list[SceneVideo]:
        """List the other videos for the page."""
        return [
            {'id': n, 'name': camera.name, 'later': self.starts[number] - self.starts[n]}
            # A copy, as videos may be added meanwhile.
            for n, camera in self.cameras.copy().items()
            if n != number
        ]

    def publish(
        self,
        number: int,
        skeleton: Skeleton | None,
        tracks: Mapping[int, Mapping[int, PersonLabel]],
        num_frames: int,
    ) -> None:
        """Replace the labels of a video."""
        persons = [
            label for track in tracks.values() for label in track.values() if label.has_given_joint
        ]
        with self._lock:
            self._findings = None
            self._lengths[number] = num_frames
            if skeleton is None or number not in self.cameras:
                self._labels.pop(number, None)
            else:
                self._labels[number] = skeleton, persons

    def lines(
        self,
        number: int,
        other: int,
        place: tuple[int, int, int],
        pixel: tuple[float, float] | None,
    ) -> SceneLines:
        """Describe for the page what a joint of a video means in another one.

        Args:
            number: The video.
            other: The other video.
            place: Frame, person and joint.
            pixel: Where the joint is; None if it has no place.
        """
        frame, person, joint = place
        frame += self.starts[number] - self.starts[other]
        findings = self._find()
        cameras = findings.cameras[number], findings.cameras[other]
        match = next((ids[other] for ids in findings.people if ids[number] == person), None)
        with self._lock:
            _, labels = self._labels.get(other, (None, []))
        given = [
            p.keypoints[joint]
            for p in labels
            if (p.frame_index, p.track_id) == (frame, match) and p.given[joint]
        ]
        return {
            'person': match,
            'line': [] if pixel is None else _line(*cameras, np.array(pixel)),
            'back': _line(*cameras[::-1], given[0]) if given else [],
        }

    def drafts(self, number: int) -> dict[int, list[Draft]]:
        """Return the joints of a video that two other videos have, by frame, as drafts."""
        return self._find().drafts.get(number, {})

    def warnings(self, number: int) -> list[LabelWarning]:
        """Report a wrong calibration, and labels of a video that fit others better exchanged."""
        findings = self._find()
        warnings = [LabelWarning(findings.wrong, [])] if findings.wrong else []
        exchanged = findings.exchanged.get(number, [])[:_MAX_NAMED]
        with self._lock:
            skeleton, _ = self._labels.get(number, (None, []))
        if not exchanged or skeleton is None:
            # Its labels may just have been removed.
            return warnings
        texts, places = [], []
        for frame, person, others in exchanged:
            place = NamedPlace(f'{skeleton.category} {person} in frame {frame}', frame, person)
            texts.append(f'{place.words}{f", or there in {others[0]}" if others else ""}')
            places.append(place)
        listed = ', '.join(texts)
        sentence = f'left and right are exchanged, by the other cameras: {listed}'
        return [*warnings, LabelWarning(sentence, places)]

    def _find(self) -> _Findings:
        with self._lock:
            if self._findings is None:
                self._findings = self._compare()
            return self._findings

    def _compare(self) -> _Findings:
        """Compare the labels of all videos with the same joints, at the times that have any."""
        known = self.cameras.copy()
        skeletons = [skeleton for skeleton, _ in self._labels.values()]
        times = sorted(
            {p.frame_index + self.starts[n] for n, (_, ps) in self._labels.items() for p in ps}
        )
        if len({skeleton.keypoint_names for skeleton in skeletons}) > 1 or not times:
            return _Findings(self.cameras)
        rows = {time: row for row, time in enumerate(times)}
        listed = tuple(map(VideoFrame, range(len(times))))
        numbers, views = [*known], []
        for number, camera in known.items():
            _, labels = self._labels.get(number, (None, []))
            start = self.starts[number]
            persons = tuple(replace(p, frame_index=rows[p.frame_index + start]) for p in labels)
            views.append(View(camera, VideoLabels(camera.name, skeletons[0], listed, persons)))
        views, wrong = correct_cameras(views)
        cameras = {number: view.camera for number, view in zip(numbers, views, strict=True)}
        people = match_people(views)
        of_number = [dict(zip(numbers, ids, strict=True)) for ids in people]
        findings = _Findings(cameras, wrong, of_number)
        _, scene = fuse_views(views, people)
        for index, view in enumerate(views):
            tracks, camera, number = view.labels.tracks(), view.camera, numbers[index]
            pixels = camera.project(scene.points)
            is_located = ~is_outside(pixels, camera.size) & (scene.views > 1)
            for row, column in np.argwhere(is_located.any(axis=-1)).tolist():
                person, located = people[column][index], is_located[row, column]
                label = None if person is None else tracks.get(person, {}).get(row)
                if label is not None:
                    located = located & label.propagated
                frame = times[row] - self.starts[number]
                if located.any() and 0 <= frame < self._lengths.get(number, 0):
                    of_frame = findings.drafts.setdefault(number, {}).setdefault(frame, [])
                    draft = _make_draft(pixels[row, column], located, frame, column, person)
                    of_frame.append(draft)
        exchanged = find_exchanged(views, people)
        for index, row, column in np.argwhere(exchanged).tolist():
            labelled = exchanged[:, row, column]
            others = [
                view.camera.name for n, view in enumerate(views) if labelled[n] and n != index
            ]
            number = numbers[index]
            place = times[row] - self.starts[number], people[column][index], others
            findings.exchanged.setdefault(number, []).append(place)
        return findings


def _line(camera: Camera, other: Camera, pixel: np.ndarray) -> list[list[float]]:
    """Return where what is at a pixel of a camera can be in the picture of another one."""
    direction = np.append(camera.undistort(pixel[None])[0], 1.0) @ camera.rotation
    apart = np.linalg.norm(camera.centre - other.centre)
    depths = apart * np.geomspace(_NEAREST, _FURTHEST, _LINE_POINTS)
    pixels = other.project(camera.centre + depths[:, None] * direction)
    return pixels[np.isfinite(pixels).all(axis=1)].round(SHOWN_DECIMALS).tolist()


def _make_draft(
    pixels: np.ndarray, located: np.ndarray, frame: int, column: int, person: int | None
) -> Draft:
    """Make a draft of the located joints [K] of a person, the ``column``-th of the scene."""
    visibility = np.where(located, VISIBLE, NOT_LABELLED)
    places = np.where(located[:, None], pixels, 0)
    # Discarding holds until another joint is located.
    joints = ','.join(map(str, np.flatnonzero(located)))
    pose = PersonLabel(frame, places, visibility, None, located.astype(float))
    return Draft(f'views {frame} {column} {joints}', pose, person)
