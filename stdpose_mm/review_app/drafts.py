"""Drafts: poses that a network or another program proposes, apart from the labels.

Nothing is propagated, written, counted or learned from a draft before a person has accepted or
corrected it: drafts are no part of the video's state. An edit that accepts one names it, and hides
it as long as the edit is in effect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from threading import Lock, RLock
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from scipy.optimize import linear_sum_assignment

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.apis.propagation_state import PropagationState
from stdpose_mm.constants import EVIDENCE_KINDS
from stdpose_mm.detection import PersonDetector
from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, ScoreCalibrator, label_sizes
from stdpose_mm.inference.window_backend import read_batches
from stdpose_mm.io.limits import MAX_COORDINATE
from stdpose_mm.labelling.evidence import PoseNetwork, PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork, fit_calibrator
from stdpose_mm.labelling.evidence.one_stage_network import OneStageNetwork
from stdpose_mm.labelling.evidence.onnx_networks import finds_people
from stdpose_mm.labelling.evidence.pose_results import PoseResults
from stdpose_mm.labelling.evidence.published_networks import PUBLISHED
from stdpose_mm.labelling.review import UnlabelledVideo, choose_first_labels, measure_motion
from stdpose_mm.labelling.review.expected_errors import spread
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    PersonLabel,
    Skeleton,
    is_outside,
    person_box,
)
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.text import counted
from stdpose_mm.tracking.association import pose_similarities

from .edits import EditHistory, StaleEditError
from .messages import SHOWN_DECIMALS, DraftPose, DraftState
from .shown_poses import ShownPoses

LEAST_PROBABILITY, LEAST_JOINTS = 0.5, 0.25
"""Least probability of being right of a joint, which otherwise stays empty, and least share of the
joints that a network knows in a draft."""

SAME_POSE, SAME_AS_LABEL, SAME_AS_PROPAGATED = 0.75, 0.4, 0.1
"""Similarity from which a draft is certainly of a person with a label in its frame, or may be, or
may be of a person with a propagated pose, which may be far off."""

NETWORK_CALIBRATOR = ScoreCalibrator(slope=0.94, offset=1.41)
"""Calibrator of scores in a video with few labels: it was fitted on MoveNet and EfficientPose RT in
three frames of each of 90 JHMDB clips of the training groups."""

CALIBRATED_FROM = 60
"""Number of labelled joints from which scores are calibrated on them, and again at its doubles."""

ANY_PERSON = -1
"""The person of a draft that is of whoever has the most similar pose."""

MAX_CALIBRATED, MAX_PLANNED, BATCH_SIZE = 24, 24, 8
"""Maximum numbers of labels to calibrate on, of planned frames, and of people in a network run."""

_REQUESTS = ('box', 'find', 'plan', 'discard', 'give', 'join', 'choose')

_NO_NETWORK = 'no network places joints here: give --pose-onnx or the like, or learn from labels'
_NO_FINDER = 'nothing finds people here: give --detector and a pose network, or --drafts FILE'


@dataclass
class DraftSources:
    """Sources of drafts, for all videos of a project.

    Args:
        networks: Name of each pose network -> returns it; it is loaded at the first use.
        default_network: Name of the one that is used, unless a network has learned here.
        detector: The person detector, if any.
        results: Poses that another program has estimated, if any.
        finders: Names of the networks that find people, too, if nothing else does.
        lock: Held by the thread that uses a source, since not all networks allow several.

    Attributes:
        chosen_network: Name of the one that was chosen on the page, which is used in any case; ''
            if none was.
    """

    networks: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    default_network: str = ''
    detector: PersonDetector | None = None
    results: PoseResults | None = None
    finders: Collection[str] = ()
    lock: Lock = field(default_factory=Lock)
    chosen_network: str = field(default='', init=False)

    @classmethod
    def choose(
        cls, networks: Iterable[PoseNetworkFiles], device: str = 'cpu', *others: Any
    ) -> DraftSources:
        """Take the networks that look at pictures, published ones on this disk, other sources.

        The first of ``networks`` is the default one.
        """
        files_of = {
            files.path.name: files for files in networks if not EVIDENCE_KINDS[files.kind].of_videos
        }
        published = [
            network
            for network in PUBLISHED.values()
            if network.path.is_file() and files_of.keys().isdisjoint(network.names)
        ]
        # They are loaded for drafts alone, since the propagator may run at the same time.
        loaders = {
            name: cache(partial(load_pose_network, files_of[name], device)) for name in files_of
        }
        loaders |= {network.name: cache(network.load) for network in published}
        sources = cls(loaders, next(iter(files_of), ''), *others)
        if sources.detector is None and sources.results is None:
            sources.finders = {name for name, files in files_of.items() if finds_people(files)}
            sources.finders |= {network.name for network in published if network.finds_people}
        return sources

    @property
    def network_name(self) -> str:
        """Name of the network that is used, unless one that has learned; '' for none."""
        return self.chosen_network or self.default_network

    @property
    def finder(self) -> Callable[[], Any] | None:
        """Loader of the network that is used, if it is what finds people."""
        return self.networks[self.network_name] if self.network_name in self.finders else None


class Draft(NamedTuple):
    """A proposed pose.

    Args:
        id: Identifier, different from those of earlier sessions, which the journal holds.
        pose: The pose. Its scores are probabilities; empty joints have no position.
        person: Its person, if that was chosen on the page: None for a new one, or ``ANY_PERSON``.
    """

    id: str
    pose: PersonLabel
    person: int | None = ANY_PERSON

    @property
    def scores(self) -> np.ndarray:
        """The probability [K] that each joint is right."""
        assert self.pose.scores is not None
        return self.pose.scores


class Drafts:
    """The drafts of a video; any thread may call any method.

    Args:
        propagator: The propagator, which may use a network that has learned from labels.
        state: The video with its labels.
        shown: The shown poses.
        history: The edits.
        lock: The lock of the video.
        sources: Where drafts come from.
        located: Returns drafts of joints that other views have, by frame.

    Attributes:
        planned: Frames that are worth labelling first, if nothing finds people in them.
    """

    def __init__(
        self,
        propagator: VideoPosePropagator,
        state: PropagationState,
        shown: ShownPoses,
        history: EditHistory,
        lock: RLock,
        sources: DraftSources,
        located: Callable[[], Mapping[int, list[Draft]]] = dict,
    ) -> None:
        self.located = located
        self._discarded: set[str] = set()
        self._propagator, self._state, self._sources = propagator, state, sources
        self._shown, self._history, self._lock = shown, history, lock
        self._drafts: dict[int, list[Draft]] = {}
        self._fitted: dict[str, tuple[int, ScoreCalibrator]] = {}
        self.planned: list[int] = []
        self.closed = False

    def clear(self) -> None:
        """Forget all drafts; the caller holds the lock of the video."""
        self._drafts.clear()

    # What pages are told.

    def describe(self, frames: Collection[int]) -> dict[str, list[DraftPose]]:
        """Describe the open drafts of frames for the page, by frame."""
        with self._lock:
            accepted = self._history.accepted_drafts()
            return {
                str(frame): [_describe(draft, person) for draft, person in opened]
                for frame in sorted({*self._drafts, *self.located()})
                if frame in frames and (opened := self._open(frame, accepted))
            }

    def describe_state(self) -> DraftState:
        """Describe for the page which drafts are possible, and which frames have open ones."""
        sources, learned = self._sources, self._propagator.learned_network
        source = sources.network_name
        number, _ = self._fitted.get(source, (0, None))
        if learned is not None and not sources.chosen_network:
            source = f'network that learned from {counted(learned.record.num_poses, "label")}'
        elif source:
            calibration = f'on {counted(number, "labelled joint")}' if number else 'on other videos'
            source = f'{source}, calibrated {calibration}'
        return {
            'source': source,
            'networks': [*sources.networks],
            'chosen': sources.chosen_network,
            'refused': None if source else _NO_NETWORK,
            'find_refused': None
            if sources.results or (source and (sources.detector or sources.finder))
            else _NO_FINDER,
            'frames': [*map(int, self.describe(range(len(self._state.frames))))],
        }

    def require_open(self, draft_id: str | None) -> None:
        """Refuse an edit that accepts a draft that is not open; None accepts none.

        Drafts of an earlier session are unknown here: they may be accepted by edits of a page that
        has waited for this server.

        Raises:
            StaleEditError: If it is accepted already, or of somebody who is labelled in its frame.
        """
        accepted = self._history.accepted_drafts()
        for frame, drafts in self._drafts.items():
            opened = {draft.id for draft, _ in self._open(frame, accepted)}
            if draft_id in {draft.id for draft in drafts} - opened:
                raise StaleEditError('the person of this draft is labelled here already')

    # Requests of pages.

    def request(
        self, body: Mapping[str, Any], suggested: Sequence[int] | None, target: float
    ) -> tuple[list[int], str]:
        """Make or discard drafts as a page asks.

        Args:
            body: ``do`` is 'box' (``frame``, ``box``: the person in a box), 'find' (``frame``:
                everybody), 'plan' (everybody in the frames worth labelling, or these frames alone
                if nothing finds people), 'discard' (``frame``, and ``id`` for one draft only),
                'give' (``frame``, ``id``, ``person``: None for a new one), 'join' (``frame``,
                ``id``, ``other``: another draft of the same person) or 'choose' (``frame``,
                ``network``: name of one, '' for the usual one).
            suggested: Frames that are suggested for labelling; None before there are labels.
            target: Share of right joints to plan for.

        Returns:
            The frames, and the message for the user if none of them has an open draft now.

        Raises:
            InputError: If the request cannot be used, or nothing can be drafted.
        """
        do, frame, number = body.get('do'), body.get('frame'), len(self._state.frames)
        if do not in _REQUESTS:
            raise InputError(f'drafts need do, one of {", ".join(map(repr, _REQUESTS))}')
        if self._state.skeleton is None:
            raise InputError('there is no skeleton yet, choose one first')
        if do == 'plan':
            frames = self._planned_frames(suggested, target)
            if self.describe_state()['find_refused']:
                self.planned = frames
                what = counted(len(frames), 'frame')
                return frames, f'{what} to label first by the motion there: N goes to the next one'
            return frames, self._draft_frames(frames)
        if not (type(frame) is int and 0 <= frame < number):
            raise InputError(f'drafts need frame, one of the frames 0..{number - 1}')
        match do:
            case 'box':
                return [frame], self._draft_box(frame, body.get('box'))
            case 'find':
                return [frame], self._draft_frames([frame])
            case 'discard':
                self._remove([frame], body.get('id'))
            case 'give':
                self._give(frame, body.get('id'), body.get('person'))
            case 'join':
                self._join(frame, body.get('id'), body.get('other'))
            case 'choose':
                require_choice('network', body.get('network'), ('', *self._sources.networks))
                with self._sources.lock:
                    self._sources.chosen_network = str(body['network'])
        return [frame], ''

    def _planned_frames(self, suggested: Sequence[int] | None, target: float) -> list[int]:
        """List the frames that are worth labelling, or labelling first.

        Raises:
            InputError: If no label would help, or there are suggestions but nothing finds people.
        """
        refused = self.describe_state()['find_refused']
        if refused and suggested is not None:
            raise InputError(refused)
        if suggested is None:
            motions, number = measure_motion(self._state.frames, None), len(self._state.frames)
            video = UnlabelledVideo(motions, number, self._propagator.method)
            (planned,) = choose_first_labels([video], target, MAX_PLANNED).frames
            suggested = planned or [number // 2]
        if not suggested:
            raise InputError('no frame is planned: no further label is expected to help')
        return sorted(suggested)

    def _draft_box(self, frame: int, box: Any) -> str:
        """Draft the person in a box; return the message for a person who is labelled already."""
        boxes, skeleton = read_box(box)[None], self._state.skeleton
        with self._sources.lock:
            network = self._network()
            drafts = self._make(network, self._estimate(network, [frame], boxes))
        category = self._category
        if not drafts:
            advice = 'so nothing is drafted: draw it around one, or press I and click the joints'
            raise InputError(f'{network.name} sees no {category} in this box, {advice}')
        with self._lock:
            self._require_unchanged(skeleton)
            for other in self._drafts.get(frame, []):
                if _similarity(drafts, [other.pose])[0, 0] >= SAME_AS_LABEL:
                    self._remove([frame], other.id)
            self._drafts.setdefault(frame, []).extend(drafts)
        return f'this {category} is labelled here already'

    def _draft_frames(self, frames: Sequence[int]) -> str:
        """Draft everybody in frames; return the message if nobody is new.

        Raises:
            InputError: If nothing finds people here, or the network recognises nobody.
        """
        num_people, drafts, skeleton = 0, dict[int, list[Draft]](), self._state.skeleton
        for frame in frames:
            if self.closed:
                break
            with self._sources.lock:
                source, poses = self._find(frame)
                drafts[frame] = self._make(source, poses)
            num_people += len(poses)
        if num_people and not any(drafts.values()):
            advice = f'so nothing is drafted: give a network for this {self._category}'
            raise InputError(
                f'{source.name} recognises nobody of {num_people} found here, {advice}'
            )
        with self._lock:
            self._require_unchanged(skeleton)
            self._remove(frames)
            for frame in drafts:
                self._drafts.setdefault(frame, []).extend(drafts[frame])
        return 'everybody here is labelled already' if num_people else 'nobody is found here'

    def _require_unchanged(self, skeleton: Skeleton | None) -> None:
        """Refuse drafts of other joints; the caller holds the lock of the video.

        Raises:
            InputError: If an edit has changed the joints since they were drafted.
        """
        if self._state.skeleton is not skeleton:
            raise InputError(
                'the joints were changed meanwhile, so nothing is drafted: ask for drafts again'
            )

    @property
    def _category(self) -> str:
        skeleton = self._state.skeleton
        return 'person' if skeleton is None else skeleton.category

    def _network(self) -> PoseNetwork:
        """Return the learned network, or else the given one, the first that knows joints here.

        Raises:
            InputError: If there is none.
        """
        name, learned = self._sources.network_name, self._propagator.learned_network
        networks: list[PoseNetwork] = [self._sources.networks[name]()] if name else []
        if learned is not None and not self._sources.chosen_network:
            networks.insert(0, learned)
        if not networks:
            raise InputError(_NO_NETWORK)
        return next((n for n in networks if self._map(n) is not None), networks[-1])

    def _map(self, source: PoseNetwork | PoseResults) -> JointMapping | None:
        skeleton = self._state.skeleton
        return None if skeleton is None else JointMapping.by_meaning(skeleton, source.skeleton)

    def _find(self, frame: int) -> tuple[PoseNetwork | PoseResults, Sequence[PersonLabel]]:
        """Find everybody in a frame."""
        frames, sources = self._state.frames, self._sources
        if sources.results is not None:
            return sources.results, sources.results.people_in(frames, frame)
        detector: Any = sources.finder() if sources.finder else sources.detector
        if detector is None:
            raise InputError(_NO_FINDER)
        network = self._network()
        if network is detector and isinstance(network, OneStageNetwork):
            people = network.people(frames[frame])
            return network, [replace(person, frame_index=frame) for person in people]
        boxes = detector(frames[frame]).boxes
        return network, self._estimate(network, [frame] * len(boxes), boxes)

    def _estimate(
        self, network: PoseNetwork, frames: Sequence[int], boxes: np.ndarray
    ) -> list[PersonLabel]:
        """Estimate the pose of the person in each of some boxes of frames."""
        poses: list[PersonLabel] = []
        visible = np.full(network.skeleton.num_keypoints, VISIBLE)
        wanted = zip(frames, zip(frames, boxes, strict=True), strict=True)
        for batch, pictures in read_batches(self._state.frames, wanted, BATCH_SIZE):
            estimated = network.find(pictures, np.stack([box for _, box in batch]))
            for (frame, box), points, scores in zip(batch, *estimated, strict=True):
                # Of a person that it does not see, a network gives no joints.
                visibility = np.where(np.isnan(points[:, 0]), NOT_LABELLED, visible)
                places = np.nan_to_num(points)
                poses.append(PersonLabel(frame, places, visibility, None, scores, box))
        return poses

    def _make(self, source: PoseNetwork | PoseResults, poses: Sequence[PersonLabel]) -> list[Draft]:
        """Convert poses of a source to drafts, without those with too few probable joints."""
        mapping = self._map(source)
        if mapping is None:
            names = ', '.join(source.skeleton.keypoint_names)
            raise InputError(f'{source.name} knows other joints ({names}), so nothing is drafted')
        calibrator = self._calibrate(source, mapping)
        least = max(LEAST_JOINTS * len(mapping.shared), min(2, len(mapping.shared)))
        drafts = []
        for pose in poses:
            scores = np.ones(len(pose.visibility)) if pose.scores is None else pose.scores
            points = mapping.to_labels(pose.keypoints)
            scores = calibrator(mapping.to_labels(scores.clip(0, 1)))
            inside = ~is_outside(points, self._state.frames.size)
            is_probable = mapping.to_labels(pose.labelled) & inside & (scores >= LEAST_PROBABILITY)
            if is_probable.sum() >= least:
                visibility = np.where(is_probable, VISIBLE, NOT_LABELLED)
                box = person_box(pose)
                draft = PersonLabel(
                    pose.frame_index, points, visibility, None, scores * is_probable, box
                )
                drafts.append(Draft(uuid4().hex, draft))
        return [draft for n, draft in enumerate(drafts) if not _is_double(draft, drafts[:n])]

    def _calibrate(
        self, source: PoseNetwork | PoseResults, mapping: JointMapping
    ) -> ScoreCalibrator:
        """Return the calibrator of a source's scores, of a network on this video's labels."""
        if isinstance(source, LearnedNetwork):
            return ScoreCalibrator()
        if isinstance(source, PoseResults):
            return NETWORK_CALIBRATOR
        with self._lock:
            tracks = self._state.tracks.values()
            labels = [
                label for track in tracks for label in track.values() if label.has_given_joint
            ]
        number = sum(int(label.given[mapping.shared].sum()) for label in labels)
        name = self._sources.network_name
        earlier, calibrator = self._fitted.get(name, (0, NETWORK_CALIBRATOR))
        if number < max(CALIBRATED_FROM, 2 * earlier):
            return calibrator
        chosen = [labels[n] for n in spread(len(labels), MAX_CALIBRATED)]
        boxes = np.stack([person_box(label) for label in chosen])
        poses = self._estimate(source, [label.frame_index for label in chosen], boxes)
        is_given = mapping.to_model(np.stack([label.given for label in chosen], axis=1)).T
        expected = mapping.to_model(np.stack([label.keypoints for label in chosen], axis=1))
        estimated = np.stack([pose.keypoints for pose in poses], axis=1)
        errors = np.linalg.norm(estimated - expected, axis=-1).T / label_sizes(chosen)[:, None]
        scores = np.stack([pose.scores for pose in poses if pose.scores is not None])
        calibrator = fit_calibrator(scores[is_given], errors[is_given] <= CORRECT_WITHIN)
        self._fitted[name] = number, calibrator
        return calibrator

    def _remove(self, frames: Sequence[int], draft_id: str | None = None) -> None:
        """Remove the drafts of frames, or one of them; accepted ones return with an undo."""
        with self._lock:
            spared = self._history.accepted_drafts()
            for frame in frames:
                drafts, located = self._drafts.get(frame, []), self.located().get(frame, [])
                meant = [draft for draft in drafts if draft_id in (None, draft.id)]
                self._discarded |= {d.id for d in located if draft_id in (None, d.id)}
                self._drafts[frame] = [d for d in drafts if d not in meant or d.id in spared]

    def _find_open(self, frame: int, draft_id: Any) -> Draft:
        """Return an open draft; the caller holds the lock of the video.

        Raises:
            InputError: If there is none with that identifier.
        """
        for draft, _ in self._open(frame, self._history.accepted_drafts()):
            if draft.id == draft_id:
                return draft
        raise InputError(f'frame {frame} has no such draft any more, choose another one')

    def _give(self, frame: int, draft_id: Any, person: Any) -> None:
        """Give a draft to a person without a label in its frame; None for a new one."""
        with self._lock:
            draft = self._find_open(frame, draft_id)
            if person is not None:
                people = [i for i in self._state.tracks if not self._is_labelled(frame, i)]
                require_choice('person', str(person), [*map(str, people)])
            self._replace(frame, draft, draft._replace(person=person))

    def _join(self, frame: int, draft_id: Any, other_id: Any) -> None:
        """Join two drafts of parts of one person; of joints in both, the more probable is kept."""
        with self._lock:
            draft, other = self._find_open(frame, draft_id), self._find_open(frame, other_id)
            first, second = draft.pose, other.pose
            is_second = other.scores > draft.scores
            points = np.where(is_second[:, None], second.keypoints, first.keypoints)
            visibility = np.where(is_second, second.visibility, first.visibility)
            scores = np.maximum(draft.scores, other.scores)
            pose = PersonLabel(frame, points, visibility, None, scores)
            self._remove([frame], other.id)
            self._replace(frame, draft, draft._replace(pose=pose))

    def _replace(self, frame: int, draft: Draft, changed: Draft) -> None:
        drafts = self._drafts.setdefault(frame, [])
        if draft not in drafts:
            drafts.append(draft)
            self._discarded.add(draft.id)
        self._drafts[frame] = [changed if d.id == draft.id else d for d in drafts]

    def _is_labelled(self, frame: int, person: int | None) -> bool:
        label = None if person is None else self._state.tracks.get(person, {}).get(frame)
        return label is not None and label.has_given_joint

    def _open(self, frame: int, accepted: Collection[str]) -> list[tuple[Draft, int | None]]:
        """List the drafts of people without a label in a frame, with the person of each.

        A person has at most one draft, the most similar ones together; None is a new person. The
        caller holds the lock of the video.
        """
        drafts = self._drafts.get(frame, [])
        poses = {person: track.label(frame, person) for person, track in self._shown.of.items()}
        people = [person for person, pose in poses.items() if pose.has_joint]
        labelled = np.array([self._is_labelled(frame, person) for person in people], bool)
        similarity = _similarity(drafts, [poses[person] for person in people])
        covered = (similarity >= SAME_POSE)[:, labelled].any(axis=1)
        similarity[similarity < np.where(labelled, SAME_AS_LABEL, SAME_AS_PROPAGATED)] = 0.0
        chosen = {row: d.person for row, d in enumerate(drafts) if d.person != ANY_PERSON}
        similarity[[*chosen]], covered[[*chosen]] = 0.0, False
        similarity[:, [column for column, i in enumerate(people) if i in chosen.values()]] = 0.0
        pairs = zip(*linear_sum_assignment(similarity, maximize=True), strict=True)
        person_of = {row: people[column] for row, column in pairs if similarity[row, column] > 0}
        for row, person in {**person_of, **chosen}.items():
            covered[row] |= self._is_labelled(frame, person)
        opened = [
            (draft, chosen.get(row, person_of.get(row)))
            for row, draft in enumerate(drafts)
            if draft.id not in accepted and not covered[row]
        ]
        located = [d for d in self.located().get(frame, []) if d.id not in self._discarded]
        return opened + [(d, d.person) for d in located if d.id not in accepted]


def read_box(box: Any) -> np.ndarray:
    """Read a box [4] of a request.

    Raises:
        InputError: If it is none, or empty.
    """
    values: list[Any] = box if isinstance(box, list) and len(box) == 4 else ['']
    are_pixels = all(isinstance(v, (int, float)) and abs(v) < MAX_COORDINATE for v in values)
    if not are_pixels or min(values[2:]) <= 0:
        raise InputError('box must be [x, y, width, height] in pixels, not empty')
    return np.array(box, float)


def _is_double(draft: Draft, others: Sequence[Draft]) -> bool:
    """Tell whether a pose was found twice, from two boxes of a person."""
    pose = draft.pose
    for other in (other.pose for other in others):
        offsets = np.linalg.norm(pose.keypoints - other.keypoints, axis=-1)
        offsets = offsets[pose.labelled & other.labelled] / label_sizes([pose, other]).max()
        if len(offsets) and np.median(offsets) <= CORRECT_WITHIN:
            return True
    return False


def _similarity(drafts: Sequence[Draft], poses: Sequence[PersonLabel]) -> np.ndarray:
    return pose_similarities([d.pose for d in drafts], poses, [np.zeros(2)] * len(poses))


def _describe(draft: Draft, person: int | None) -> DraftPose:
    pose = draft.pose
    columns = [pose.visibility[:, None], draft.scores[:, None].round(3)]
    points = np.concatenate([pose.keypoints.round(SHOWN_DECIMALS), *columns], axis=1)
    box = person_box(pose).round(SHOWN_DECIMALS)
    return {
        'id': draft.id,
        'person': person,
        'keypoints': points.tolist(),
        'box': box.tolist(),
        'reason': None,
    }
