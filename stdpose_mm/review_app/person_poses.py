"""Arrays of the shown poses of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import NOT_LABELLED, PersonLabel, Source

UNKNOWN, GIVEN, PROPAGATED, ABSENT = range(4)
"""State of a person in a frame: not computed yet, or as :attr:`PersonLabel.source`."""

SHOWN_DECIMALS = 2
"""Decimals of pixels that the page gets."""

WORD_OF: dict[int, Source] = {GIVEN: 'given', PROPAGATED: 'propagated', ABSENT: 'absent'}
SOURCE_OF = {word: code for code, word in WORD_OF.items()}
_LETTERS = {GIVEN: 'g', PROPAGATED: 'p', ABSENT: 'a', UNKNOWN: 'a'}


@dataclass(frozen=True)
class Ghost:
    """Hold the poses from before the latest correction.

    Args:
        frames: Their frames.
        keypoints: [F, K, 2] pixels, NaN where there was no joint.
    """

    frames: range
    keypoints: np.ndarray


class PersonPoses:
    """The poses of one person in all frames.

    Args:
        num_frames: Length F of the video.
        num_keypoints: Number K of joints.

    Attributes:
        keypoints: [F, K, 2] pixels.
        visibility: [F, K] of 0, 1, 2.
        scores: [F, K] in 0..1.
        joint_sources: [F, K] codes such as ``GIVEN``.
        sources: [F] likewise.
        boxes: [F, 4] ``[x, y, w, h]``, NaN where there is none.
        pending: [F] bool: the pose is to be computed, or computed again.
        ghost: Poses from before the latest correction; None without one.
    """

    def __init__(self, num_frames: int, num_keypoints: int) -> None:
        self.keypoints = np.zeros((num_frames, num_keypoints, 2))
        self.visibility = np.zeros((num_frames, num_keypoints), dtype=np.int8)
        self.scores = np.zeros((num_frames, num_keypoints))
        self.joint_sources = np.zeros((num_frames, num_keypoints), dtype=np.uint8)
        self.sources = np.zeros(num_frames, dtype=np.uint8)
        self.boxes = np.full((num_frames, 4), np.nan)
        self.pending = np.ones(num_frames, dtype=bool)
        self.ghost: Ghost | None = None

    def outdate(self, frames: range) -> None:
        """Mark poses for recomputation, and keep the old ones as the ghost."""
        if not frames:
            return
        here = slice(frames.start, frames.stop)
        shown = self.visibility[here, :, None] > NOT_LABELLED
        self.ghost = Ghost(frames, np.where(shown, self.keypoints[here], np.nan))
        self.pending[here] = True

    def show_label(self, frame: int, label: PersonLabel | None) -> None:
        """Show the joints of a label at once; other joints stay until they are recomputed."""
        if label is None:
            given = self.joint_sources[frame] == GIVEN
            self.joint_sources[frame][given] = PROPAGATED
            if self.sources[frame] == GIVEN:
                self.sources[frame] = PROPAGATED
            return
        if label.says_absent:
            self.visibility[frame] = NOT_LABELLED
            self.joint_sources[frame] = self.sources[frame] = ABSENT
            self.boxes[frame] = np.nan
            return
        said = ~label.propagated
        # Joints that were taken back keep their places until they are recomputed.
        self.joint_sources[frame][~said & (self.joint_sources[frame] == GIVEN)] = PROPAGATED
        self.keypoints[frame][said] = label.keypoints[said]
        self.visibility[frame][said] = label.visibility[said]
        self.scores[frame][said] = label.labelled[said]
        self.joint_sources[frame][said] = np.where(label.labelled, GIVEN, ABSENT)[said]
        has_given = label.given.any() or not label.propagated.any()
        self.sources[frame] = GIVEN if has_given else PROPAGATED
        if label.bbox is not None:
            self.boxes[frame] = label.bbox

    def show(self, person: PersonLabel) -> bool:
        """Show a computed pose; return whether it differs from the one before."""
        frame = person.frame_index
        scores = np.zeros(len(person.visibility)) if person.scores is None else person.scores
        # A label may say that the person is absent.
        source = ABSENT if person.says_absent else SOURCE_OF[person.source]
        changed = bool(
            self.sources[frame] != source
            or (self.visibility[frame] != person.visibility).any()
            or (self.keypoints[frame] != person.keypoints).any()
            or (self.scores[frame] != scores).any()
        )
        self.keypoints[frame] = person.keypoints
        self.visibility[frame] = person.visibility
        self.scores[frame] = scores
        self.joint_sources[frame] = np.where(
            person.given, GIVEN, np.where(person.propagated, PROPAGATED, ABSENT)
        )
        self.sources[frame] = source
        self.boxes[frame] = np.nan if person.bbox is None else person.bbox
        self.pending[frame] = False
        return changed

    def label(self, frame: int, person_id: int) -> PersonLabel:
        """Convert the shown pose to a label."""
        box = self.boxes[frame]
        words = np.array(['absent', 'given', 'propagated', 'absent'])
        return PersonLabel(
            frame,
            self.keypoints[frame],
            self.visibility[frame],
            person_id,
            scores=self.scores[frame],
            bbox=None if np.isnan(box).any() else box,
            source='absent' if self.sources[frame] == UNKNOWN else WORD_OF[self.sources[frame]],
            keypoint_sources=words[self.joint_sources[frame]],
        )

    def describe(self, frame: int, person_id: int) -> dict[str, object] | None:
        """Describe the shown pose for the page; None before anything is known."""
        source = int(self.sources[frame])
        if source == UNKNOWN:
            return None
        pending = bool(self.pending[frame])
        if source == ABSENT:
            return {
                'id': person_id,
                'source': 'absent',
                'keypoints': None,
                'sources': None,
                'box': None,
                'pending': pending,
                'before': self._before(frame),
            }
        box = self.boxes[frame]
        columns = [
            self.keypoints[frame].round(SHOWN_DECIMALS),
            self.visibility[frame, :, None],
            self.scores[frame, :, None].round(3),
        ]
        return {
            'id': person_id,
            'source': WORD_OF[source],
            'keypoints': np.concatenate(columns, axis=1).tolist(),
            'sources': ''.join(_LETTERS[code] for code in self.joint_sources[frame].tolist()),
            'box': None if np.isnan(box).any() else box.round(SHOWN_DECIMALS).tolist(),
            'pending': pending,
            'before': self._before(frame),
        }

    def _before(self, frame: int) -> list[list[float] | None] | None:
        if self.ghost is None or frame not in self.ghost.frames:
            return None
        points = self.ghost.keypoints[self.ghost.frames.index(frame)]
        if np.isnan(points).all():
            return None
        shown = points.round(SHOWN_DECIMALS).tolist()
        return [None if np.isnan(x) else [x, y] for x, y in shown]
