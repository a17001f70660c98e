from __future__ import annotations

import dataclasses
import math
import shutil
from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.errors import InputError, note, require_device
from stdpose_mm.io.cache_folder import CacheFolder
from stdpose_mm.io.disk.atomic import atomic_path, require_writable
from stdpose_mm.io.labels import (
    NO_BOX_FRAME_OPTIONS,
    NO_FRAME_OPTIONS,
    FrameOptions,
    list_all_frames,
    match_labels,
)
from stdpose_mm.io.video import FrameSource, open_frames
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork
from stdpose_mm.labelling.propagation import (
    BasePropagator,
    Boxes,
    LifeSpan,
    Tracks,
    WorkListener,
    boxes_of,
    given_labels,
    load_propagator,
    propagate_frames,
)
from stdpose_mm.labelling.propagation.base import GapCache, require_method
from stdpose_mm.labelling.propagation.gaps import shared_frames
from stdpose_mm.labelling.propagation.identities import (
    absent_label,
    merge_tracks,
    split_track,
    swap_tracks,
)
from stdpose_mm.labelling.propagation.learned_propagator import LearnedPropagator
from stdpose_mm.labelling.review import (
    HiddenLabel,
    LabelAccuracy,
    compare_hidden_labels,
    remaining_labels,
)
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    FrameBoxes,
    PersonLabel,
    Skeleton,
    VideoLabels,
    correct_label,
    forget_joints,
    open_left_out,
)
from stdpose_mm.structures.boxes import expand
from stdpose_mm.text import counted, ranges

from .frame_result import FrameResult, frame_result
from .learning import LearningOutcome, hidden_labels, judge_network, train_on
from .propagation_state import PropagationState

if TYPE_CHECKING:
    from mmengine.config import Config

    from stdpose_mm.detection import PersonDetector

Video = str | PathLike[str] | Sequence[str] | Sequence[np.ndarray] | FrameSource

_BOX_MARGIN = 0.25
"""Share of a given box by which the joints of its person may lie outside, on each side."""

_NO_PLACE = (
    'label of person {} in frame {} has neither a joint nor a box, give one, or use mark_absent if '
    'the person is absent'
)


class VideoPosePropagator:
    """Propagation of labels of some frames of a video to every person's pose in all frames.

    Example::

        propagator = VideoPosePropagator(config, checkpoint, device='cpu')
        state = propagator.init_state('clip.mp4')
        propagator.add_labels(state, frame_idx=0, person_id=1, keypoints=keypoints)
        for result in propagator.propagate_in_video(state):
            ...

    Labels may be added, corrected or replaced at any time, even during or after a run; the next
    ``propagate_in_video`` recomputes only the gaps that have changed.

    Args:
        config: Config file or loaded config of a pose network. Needed for 'stdpose',
            'semantic-motion' and 'per-frame'; 'auto' uses its heatmaps as evidence.
        checkpoint: Weights of that network.
        device: Device on which networks run and learn.
        method: One of the above, 'flow', 'spline' or 'linear'.
        batch_size: Number of windows that the pose network processes at once.
        fuser: Weights of the fuser of 'auto', instead of those that come with the package.
        flow_weights: Weights of torchvision's ``raft_small``; 'auto' and 'flow' then use RAFT
            instead of OpenCV's DIS.
        precision: Precision of the pose network, 'float32' or 'bfloat16'.
        pose_networks: Files of pose networks of other projects, whose heatmaps are further evidence
            for 'auto'.
        use_stdpose: Whether 'auto' uses the STDPose model that comes with the package if no
            ``config`` is given. It makes poses of people more accurate and takes more time.

    Raises:
        InputError: If an argument is not as described, the method is unknown, lacks its config or
            checkpoint, or does not use a given argument, or a file cannot be used.
    """

    def __init__(
        self,
        config: str | Path | Config | None = None,
        checkpoint: str | Path | None = None,
        device: str = 'cpu',
        method: str = 'auto',
        batch_size: int = 8,
        fuser: str | Path | None = None,
        flow_weights: str | Path | None = None,
        precision: str = 'float32',
        pose_networks: Sequence[PoseNetworkFiles] = (),
        use_stdpose: bool = True,
    ) -> None:
        require_device(device)
        self.method, self.device = method, device
        self._given = self.propagator = load_propagator(
            method,
            config,
            checkpoint,
            device,
            batch_size,
            fuser,
            flow_weights,
            precision,
            pose_networks=pose_networks,
            use_stdpose=use_stdpose,
        )

    def describe(self, skeleton: Skeleton) -> str:
        """Describe briefly the evidence that the method has for labels with these joints."""
        return self.propagator.describe(skeleton)

    def describe_use(self, warn_for_video: str | None = None) -> list[str]:
        """Return a sentence for each pose network on how many of the filled gaps it was used in.

        Args:
            warn_for_video: Name of a video; only its gaps then count, and only networks that were
                useless in most of them are mentioned.
        """
        return self.propagator.describe_use(warn_for_video)

    def evidence_warnings(self, state: PropagationState) -> list[str]:
        """Return sentences on the pose networks that were useless in most gaps of a video.

        Only gaps between the current labels count, and only if this propagator has filled them:
        nothing is known about gaps that were read from the disk.
        """
        if not self.propagator.describe_use():
            return []
        plans = state.planner.plan(state.tracks, with_others=self.propagator.reads_other_people)
        gaps = {
            gap.fingerprint(self.propagator.reads_second_labels)
            for plan in plans.values()
            for gap in plan.gaps
        }
        return self.propagator.describe_use(state.frames.name, gaps)

    def init_state(
        self,
        video: Video,
        labels: VideoLabels | None = None,
        skeleton: Skeleton | None = None,
        boxes: VideoLabels | Boxes | None = None,
        life_span: LifeSpan = 'video',
        fill_left_out: bool = False,
        folder: str | PathLike[str] | None = None,
        labels_size: tuple[int, int] | None = None,
        frame_options: FrameOptions = NO_FRAME_OPTIONS,
        box_frame_options: FrameOptions = NO_BOX_FRAME_OPTIONS,
    ) -> PropagationState:
        """Open a video.

        Args:
            video: A video file, a folder of pictures, a list of pictures (files, or BGR arrays),
                or opened frames.
            labels: Labels to start from; only given joints count. People without track ids are
                associated.
            skeleton: Joints of labels that are added without ``labels``. By default the joints of
                the model, else joints named by number.
            boxes: Labels whose person boxes, with any ``source``, are used in unlabelled frames,
                or track id -> frame -> box [4] of this video (see
                :func:`~stdpose_mm.detection.read_tracks`); they have the track ids of ``labels``.
            life_span: 'video': everyone is present from the first frame to the last; 'labels': from
                the person's first label to the last.
            fill_left_out: Whether joints that a label of ``labels`` leaves out are propagated
                there; by default they are left out of the results too.
            folder: Folder in which finished gaps are kept, for this and other videos and for
                several processes at once. A run that was killed continues from there, and a run
                with corrected labels recomputes only the affected gaps. Above a limit
                (:func:`~stdpose_mm.io.cache_folder.cache_limit`) the least recently used gaps are
                removed.
            labels_size: (width, height) of the pictures that were labelled, if the video has
                another size: ``labels`` are rescaled.
            frame_options: Frames of ``labels``, if their file does not determine them.
            box_frame_options: Frames of ``boxes``, which may come from another program.

        Raises:
            InputError: If an argument is not as described, the video cannot be opened, a label lies
                beyond its end or was made at another size, the labels list more frames than the
                video has or do not determine which, a box belongs to an unknown track, most boxes
                of a track lie elsewhere than its labels, or poses used as evidence are not of this
                video, belong to other frames than ``labels``, or have left and right exchanged.
        """
        frames = video if isinstance(video, FrameSource) else open_frames(video)
        self.propagator.require_evidence(frames)
        joints = skeleton or self.propagator.skeleton
        state = PropagationState(
            frames,
            None,
            joints,
            joints,
            life_span=life_span,
            folder=None if folder is None else Path(folder),
        )
        if labels is not None:
            labels = match_labels(labels, frames, frame_options, labels_size)
            state.labels = list_all_frames(labels, frames).with_persons(())
            state.skeleton = state.initial_skeleton = labels.skeleton
            self.propagator.warn_of_evidence(labels.skeleton)
            for track_id, track in given_labels(labels).tracks().items():
                for label in track.values():
                    _add(state, track_id, open_left_out(label) if fill_left_out else label)
        if boxes is not None:
            if isinstance(boxes, VideoLabels):
                boxes = boxes_of(match_labels(boxes, frames, box_frame_options))
            state.boxes = _known_boxes(boxes, state)
        return state

    def add_labels(
        self,
        state: PropagationState,
        frame_idx: int,
        person_id: int,
        keypoints: np.ndarray | Sequence[Sequence[float]],
        bbox: np.ndarray | Sequence[float] | None = None,
        replace: bool = False,
        left_out: Sequence[str] = (),
    ) -> None:
        """Add or change the label of one person in one frame.

        Args:
            state: The video.
            frame_idx: 0-based frame.
            person_id: Identity of the person within the video.
            keypoints: [K, 2] pixels, NaN for joints without a label; or [K, 3] with COCO's
                visibility 0, 1, 2.
            bbox: [4] person box ``[x, y, w, h]``; by default the earlier box of this label, or one
                computed from the joints if there is none or a joint is moved out of it.
            replace: Meaning of joints without a label. False: they keep their value in an earlier
                label of this frame, and without one they are propagated. True: the label replaces
                an earlier one, and they are left out.
            left_out: Names of joints that are left out of the results here, even if ``keypoints``
                or an earlier label have them.

        Raises:
            InputError: If the frame is not in the video or a shape or value is not as described.
        """
        _require_frame(state, frame_idx)
        place = f'of person {person_id} in frame {frame_idx}'
        points = _as_numbers(f'keypoints {place}', keypoints, '[K, 2] or [K, 3]')
        box = None if bbox is None else _as_numbers(f'bbox {place}', bbox, '[x, y, w, h]')
        if points.ndim != 2 or points.shape[1] not in (2, 3) or not len(points):
            raise InputError(
                f'keypoints {place} have shape {list(points.shape)}, expected [K, 2] or [K, 3]'
            )
        if points.shape[1] == 3:
            visibility = points[:, 2]
        else:
            visibility = np.where(np.isnan(points).any(axis=1), NOT_LABELLED, VISIBLE)
        is_left_out = np.full(len(points), replace)
        if left_out:
            if state.skeleton is None or len(points) != state.skeleton.num_keypoints:
                raise InputError(
                    f'left_out {place} names joints, but keypoints do not match the skeleton, give '
                    'one keypoint for each joint'
                )
            named = _joint_indices(state.skeleton, left_out)
            is_left_out[named] = True
            visibility = visibility.copy()
            visibility[named] = NOT_LABELLED
        is_missing = visibility == NOT_LABELLED
        sources = np.where(is_missing, np.where(is_left_out, 'absent', 'propagated'), 'given')
        try:
            label = PersonLabel(
                frame_index=frame_idx,
                keypoints=np.where(is_missing[:, None], 0.0, points[:, :2]),
                visibility=visibility,
                track_id=person_id,
                bbox=box,
                keypoint_sources=sources,
            )
        except ValueError as error:
            raise InputError(f'label {place}: {error}') from error
        if not label.is_located and not left_out:
            raise InputError(_NO_PLACE.format(person_id, frame_idx))
        if state.skeleton is None:
            state.skeleton = Skeleton(tuple(f'joint_{n}' for n in range(len(points))))
        earlier = state.tracks.get(person_id, {}).get(frame_idx)
        if earlier is not None and not replace and len(points) == state.skeleton.num_keypoints:
            label = correct_label(earlier, label)
        if label.is_absent:
            raise InputError(_NO_PLACE.format(person_id, frame_idx))
        _add(state, person_id, label)

    def mark_absent(self, state: PropagationState, frame_idx: int, person_id: int) -> None:
        """Mark a person as absent from this frame on, until its next label.

        Args:
            state: The video.
            frame_idx: 0-based frame; an earlier label there is replaced.
            person_id: Identity of a person with labels.

        Raises:
            InputError: If the frame is not in the video or the person has no label.
        """
        _require_person(state, person_id)
        assert state.skeleton is not None
        label = absent_label(frame_idx, person_id, state.skeleton.num_keypoints)
        _add(state, person_id, label)

    def remove_labels(
        self,
        state: PropagationState,
        frame_idx: int,
        person_id: int,
        joints: Sequence[str] | None = None,
    ) -> None:
        """Remove the label of a person in a frame, or some of its joints.

        Args:
            state: The video.
            frame_idx: 0-based frame.
            person_id: Identity of the person within the video.
            joints: Names of the joints to remove, which are then propagated; a box stays. By
                default the whole label, even a mark of absence.

        Raises:
            InputError: If there is no such label or joint.
        """
        _require_person(state, person_id)
        track = state.tracks[person_id]
        if frame_idx not in track:
            raise InputError(
                f'person {person_id} has no label in frame {frame_idx}, choose one of the frames '
                f'{", ".join(map(str, sorted(track)))}'
            )
        if joints is not None:
            assert state.skeleton is not None
            label = forget_joints(track[frame_idx], _joint_indices(state.skeleton, joints))
            if label.is_located or not label.propagated.all():
                track[frame_idx] = label
                return
        del track[frame_idx]
        if not track:
            del state.tracks[person_id]

    def restore_labels(
        self, state: PropagationState, labels: Mapping[tuple[int, int], PersonLabel | None]
    ) -> None:
        """Restore earlier labels, to undo a change.

        Boxes that were moved to another person stay there; swap or merge the people to move them.

        Args:
            state: The video.
            labels: (person id, frame) -> the earlier label of ``state.tracks``; None for no label.

        Raises:
            InputError: If a frame is not in the video or a label has other joints than the others.
        """
        for (person_id, frame_idx), label in labels.items():
            if label is not None:
                if label.track_id != person_id:
                    label = dataclasses.replace(label, track_id=person_id)
                _add(state, person_id, label)
            elif person_id in state.tracks:
                state.tracks[person_id].pop(frame_idx, None)
                if not state.tracks[person_id]:
                    del state.tracks[person_id]

    def swap_persons(
        self, state: PropagationState, frame_idx: int, first_id: int, second_id: int
    ) -> None:
        """Exchange the labels of two identities, and their boxes, from a frame on.

        Args:
            state: The video.
            frame_idx: 0-based frame from which on they are exchanged.
            first_id: Identity of a person with labels. If only one of the two is present before
                the frame, the other one is marked absent in the frame unless it is labelled there.
            second_id: Identity of another person with labels.

        Raises:
            InputError: If the frame is not in the video, or there are not two such people.
        """
        _require_frame(state, frame_idx)
        if first_id == second_id:
            raise InputError(f'person {first_id} cannot be swapped with itself, name two people')
        for person_id in (first_id, second_id):
            _require_person(state, person_id)
        _set_boxes(state, swap_tracks(state.tracks, state.boxes, frame_idx, first_id, second_id))

    def split_person(self, state: PropagationState, frame_idx: int, person_id: int) -> int:
        """Split a person in two: from a frame on, labels and boxes go to a new person.

        Args:
            state: The video.
            frame_idx: 0-based first frame of the new person; the earlier person is marked absent
                there.
            person_id: Identity of a person with labels before that frame and in it or after it.

        Returns:
            The identity of the new person, who is marked absent before its first label.

        Raises:
            InputError: If there is no such person, or it has no labels on both sides.
        """
        _require_frame(state, frame_idx)
        _require_person(state, person_id)
        new_id, boxes = split_track(state.tracks, state.boxes, frame_idx, person_id)
        _set_boxes(state, boxes)
        return new_id

    def merge_persons(self, state: PropagationState, person_id: int, into: int) -> None:
        """Merge two people: the labels and boxes of one go to the other.

        A label of one of them replaces a mark of absence of the other. Of two boxes in a frame, the
        box of the person who is present there is kept; if both are present, the box of the person
        whose nearest label is nearer.

        Args:
            state: The video.
            person_id: The identity that ends.
            into: The identity that stays.

        Raises:
            InputError: If there are not two such people, or both have a position in one frame.
        """
        if person_id == into:
            raise InputError(f'person {into} cannot be merged with itself, name two people')
        for track_id in (person_id, into):
            _require_person(state, track_id)
        _set_boxes(state, merge_tracks(state.tracks, state.boxes, person_id, into))

    def remove_person(self, state: PropagationState, person_id: int) -> None:
        """Remove all labels of a person; its boxes are used again if it is labelled again.

        Raises:
            InputError: If there is no such person.
        """
        _require_person(state, person_id)
        del state.tracks[person_id]

    def affected_frames(self, state: PropagationState, earlier: Tracks) -> dict[int, range]:
        """Find the frames whose poses may have changed with the labels.

        Args:
            state: The video.
            earlier: Everyone's labels before the change: person -> {frame index: label}.

        Returns:
            Person -> the range of frames that may have changed. People without changed labels are
            included only for methods that use other people's poses.
        """
        return state.planner.find_affected(
            earlier,
            state.tracks,
            self.propagator.reads_second_labels,
            self.propagator.reads_other_people,
        )

    def detect_in_video(self, state: PropagationState, detector: PersonDetector) -> Iterator[int]:
        """Replace interpolated boxes by detected ones where they overlap.

        Args:
            state: The video; its ``detections`` are filled.
            detector: The person detector.

        Yields:
            Each finished frame in which somebody is not labelled.

        Raises:
            InputError: If a frame cannot be read.
        """
        finished: MutableMapping[str, FrameBoxes] = {}
        if state.folder is not None:
            finished = CacheFolder(state.folder).open(
                ('detections', detector, state.frames),
                state.frames.name,
                lambda people: {'boxes': people.boxes, 'scores': people.scores},
                lambda arrays: FrameBoxes(**arrays),
            )
        for frame_idx in range(len(state.frames)):
            if all(frame_idx in track for track in state.tracks.values()):
                continue
            people = finished.get(str(frame_idx))
            if people is None:
                people = finished[str(frame_idx)] = detector(state.frames[frame_idx])
            state.detections[frame_idx] = people
            yield frame_idx

    def propagate_in_video(
        self,
        state: PropagationState,
        listener: WorkListener | None = None,
        person_ids: Collection[int] | None = None,
        within: range | None = None,
    ) -> Iterator[FrameResult]:
        """Yield the poses of all people, from the first frame of the video to the last.

        Frames are yielded as soon as they are ready; the caller may stop at any time. Labels that
        are added meanwhile are used by the next run.

        Args:
            state: The video.
            listener: Receives the progress, frame by frame, before the frames are yielded. An
                exception from it ends the run.
            person_ids: The people; by default everyone.
            within: The frames to yield; by default all. Only gaps that hold one of them are
                propagated.

        Raises:
            InputError: If nothing is labelled, somebody of ``person_ids`` has no label, a frame
                cannot be read, or a labelled joint is unknown to the model.
        """
        # This is not a generator itself, so that missing labels raise an error at once.
        skeleton = self._base_labels(state).skeleton
        if person_ids is not None:
            for person_id in person_ids:
                _require_person(state, person_id)
        if within is not None:
            within = shared_frames(within, range(len(state.frames)))
        tracks = _copied(state.tracks)
        people = self._propagate(
            self.propagator, state, tracks, skeleton, listener, person_ids, within
        )
        return (
            frame_result(frame_idx, persons, skeleton.num_keypoints)
            for frame_idx, persons in people
        )

    def measure_in_video(
        self,
        state: PropagationState,
        num_frames: int = 24,
        listener: WorkListener | None = None,
        later: Sequence[int] = (),
    ) -> Iterator[LabelAccuracy]:
        """Measure on the labels how accurate propagation is in this video.

        The labels of one frame after the other are hidden, filled in from all others and compared.
        A hidden label lies in a gap twice as long as the others, so poses between the actual labels
        are more accurate than measured.

        Args:
            state: The video.
            num_frames: Largest number of frames whose labels are hidden, spread over the video.
            listener: Receives the progress within the gap of each hidden label. An exception from
                it ends the run.
            later: Frames that are measured after all others, in this order.

        Yields:
            The accuracy in each frame, ascending but for ``later``; :meth:`LabelAccuracy.join`
            combines them. Nothing if no label lies between two others of the same person.

        Raises:
            InputError: If nothing is labelled, or a frame cannot be read.
        """
        # This is not a generator itself, so that wrong arguments raise an error at once.
        skeleton = self._base_labels(state).skeleton
        tracks = _copied(state.tracks)
        chosen = self.labels_to_hide(state, num_frames)
        order = {frame: place for place, frame in enumerate(later)}
        chosen.sort(key=lambda hidden: order.get(hidden[0].frame_index, -1))
        filled = (
            self._fill(self.propagator, state, hidden, tracks, skeleton, listener)
            for hidden in chosen
        )
        return (
            compare_hidden_labels(hidden, tracks, persons, skeleton, self.method)
            for hidden, persons in zip(chosen, filled, strict=True)
        )

    def labels_to_hide(self, state: PropagationState, num_frames: int) -> list[list[HiddenLabel]]:
        """Choose the labels that :meth:`measure_in_video` hides, frame by frame.

        Of each network in use that has learned from labels, at least one half has not seen them;
        others would measure the accuracy without that network.

        Args:
            state: The video.
            num_frames: Largest number of frames.
        """
        return hidden_labels(state, self.propagator, num_frames)

    def learn(
        self,
        states: PropagationState | Sequence[PropagationState],
        out: str | PathLike[str],
        minutes: float = math.inf,
        earlier: LearnedNetwork | None = None,
        listener: Callable[[float, float | None], None] = lambda done, right: None,
        steps: int | None = None,
        only_if_helpful: bool = False,
    ) -> LearningOutcome:
        """Train a small network on the given labels; use it from now on if it helps.

        The network sees one subject at a time and works for any skeleton. It is used beside the
        given ``pose_networks``, in place of one that was learned or used before. A quarter of the
        labelled frames is hidden from each of its two halves; on these frames, the method is
        compared with and without it. Finished trainings are kept in the folder of the first video.

        Args:
            states: The video, or several with labels of the same joints.
            out: File to write the network to (``.onnx``); ``pose_networks`` takes it for other
                videos.
            minutes: Largest training time.
            earlier: A network to continue from, after labels were added.
            listener: Receives the finished share of the training, and the share of joints of hidden
                labels that the network alone finds, or None before that is known. An exception from
                it ends the training; after KeyboardInterrupt the network so far is kept.
            steps: Number of training steps of each half. The default is 25 for each labelled pose,
                at least 400 and at most 1000; with ``minutes``, it is 2000.
            only_if_helpful: Whether to write ``out`` only if the network helps; an earlier file
                there stays otherwise.

        Raises:
            InputError: If the method is not 'auto', there are too few labels, the videos have
                different joints, a package is missing, or a file cannot be read or written.
            KeyboardInterrupt: If training was interrupted before there was anything to keep.
        """
        if not require_method(self.method).uses_fuser:
            raise InputError(f"learning needs method 'auto', got {self.method!r}")
        states = [states] if isinstance(states, PropagationState) else list(states)
        require_writable(out)
        with TemporaryDirectory() as folder:
            file = Path(folder) / Path(out).name
            network = train_on(states, file, minutes, earlier, listener, steps, self.device)
            candidate = LearnedPropagator(self._given, network)
            in_use = None if earlier is None else LearnedPropagator(self._given, earlier)
            outcome = judge_network(candidate, states, self._fill, in_use)
            if only_if_helpful and not outcome.helped:
                return outcome
            with atomic_path(out) as temporary:
                shutil.copyfile(file, temporary)
        outcome = dataclasses.replace(outcome, network=LearnedNetwork(Path(out)))
        if outcome.helped:
            self.use_network(outcome.network)
        return outcome

    @property
    def learned_network(self) -> LearnedNetwork | None:
        """Return the network in use that was learned here or by an earlier session, or None.

        Networks among the given ``pose_networks`` do not count.
        """
        used = self.propagator
        if used is self._given or not isinstance(used, LearnedPropagator):
            return None
        return used.network

    def use_network(self, network: LearnedNetwork) -> None:
        """Use a network that :meth:`learn` has trained before, instead of any other learned one.

        Args:
            network: The network. The method must be 'auto'.
        """
        self.propagator = LearnedPropagator(self._given, network)

    def _fill(
        self,
        propagator: BasePropagator,
        state: PropagationState,
        hidden: Sequence[HiddenLabel],
        tracks: Tracks,
        skeleton: Skeleton,
        listener: WorkListener | None = None,
    ) -> list[PersonLabel]:
        """Fill in the hidden labels of a frame from all others of ``tracks``."""
        frame = hidden[0].frame_index
        # Run to the end of the gaps, since only whole gaps are cached.
        within = range(frame, max(label.after for label in hidden))
        people = [label.track_id for label in hidden]
        blind = propagator.hiding(state.frames, [frame])
        labels = remaining_labels(tracks, hidden)
        (_, persons), *_ = self._propagate(blind, state, labels, skeleton, listener, people, within)
        return persons

    def _propagate(
        self,
        propagator: BasePropagator,
        state: PropagationState,
        tracks: Tracks,
        skeleton: Skeleton,
        listener: WorkListener | None,
        person_ids: Collection[int] | None,
        within: range | None,
    ) -> Iterator[tuple[int, list[PersonLabel]]]:
        """Propagate labels in a video, with its boxes and detections."""
        cache = self._open_cache(state, skeleton, propagator)
        if isinstance(propagator, LearnedPropagator):
            finished = self._open_cache(state, skeleton, propagator.base)
            propagator = dataclasses.replace(propagator, finished=finished)
        return propagate_frames(
            state.frames,
            tracks,
            skeleton,
            propagator,
            cache,
            boxes=state.boxes,
            detections=state.detections,
            life_span=state.life_span,
            listener=listener,
            track_ids=person_ids,
            within=within,
        )

    def collect_labels(
        self, state: PropagationState, results: Iterable[FrameResult]
    ) -> VideoLabels:
        """Convert the results of a run to labels for a file, with all frames listed."""
        persons: list[PersonLabel] = []
        for result in results:
            persons += result.persons
        return self._base_labels(state).with_persons(persons)

    def reset_state(self, state: PropagationState) -> None:
        """Forget all given labels and boxes and all results; the video stays open."""
        state.skeleton = state.initial_skeleton
        state.tracks.clear()
        state.boxes = {}
        state.detections.clear()
        state.caches.clear()

    def _open_cache(
        self, state: PropagationState, skeleton: Skeleton, propagator: BasePropagator
    ) -> GapCache:
        """Return the finished gaps of a propagator."""
        # Methods that only read labels are faster than the disk.
        if state.folder is not None and propagator.reads_pictures:
            video = state.frames.name
            evidence = propagator.files_of(video)
            return CacheFolder(state.folder).open(
                ('gaps', propagator, state.frames, skeleton, evidence), video, dict, dict
            )
        return state.caches.setdefault(propagator, {}).setdefault(skeleton, {})

    def _base_labels(self, state: PropagationState) -> VideoLabels:
        if state.skeleton is None or not state.tracks:
            raise InputError(
                f'{state.frames.name} has no given labels to propagate, label a person in one frame'
            )
        if state.labels is not None:
            # The review page can rename and add joints.
            return dataclasses.replace(state.labels, skeleton=state.skeleton)
        empty = VideoLabels(state.frames.name, state.skeleton, frames=())
        return list_all_frames(empty, state.frames)


def _require_person(state: PropagationState, person_id: int) -> None:
    if person_id not in state.tracks:
        person_ids = ', '.join(map(str, sorted(state.tracks))) or 'none'
        raise InputError(
            f'there is no person {person_id} in {state.frames.name}, choose one with labels: '
            f'{person_ids}'
        )


def _require_frame(state: PropagationState, frame_idx: int) -> None:
    if not 0 <= frame_idx < len(state.frames):
        raise InputError(
            f'a label is on frame {frame_idx}, but {state.frames.name} has '
            f'{len(state.frames)} frames, give a frame in 0..{len(state.frames) - 1}'
        )


def _add(state: PropagationState, person_id: int, label: PersonLabel) -> None:
    assert state.skeleton is not None
    _require_frame(state, label.frame_index)
    if len(label.visibility) != state.skeleton.num_keypoints:
        raise InputError(
            f'the label of person {person_id} in frame {label.frame_index} has '
            f'{len(label.visibility)} keypoints, expected {state.skeleton.num_keypoints} '
            f'({", ".join(state.skeleton.keypoint_names)})'
        )
    state.tracks.setdefault(person_id, {})[label.frame_index] = label


def _set_boxes(state: PropagationState, boxes: Boxes) -> None:
    """Replace the boxes of some people; a run in progress continues with the earlier ones."""
    merged = {**state.boxes, **boxes}
    state.boxes = {person: by_frame for person, by_frame in merged.items() if by_frame}


def _copied(tracks: Tracks) -> dict[int, dict[int, PersonLabel]]:
    """Copy the labels, so that a run in progress continues with them."""
    return {person_id: dict(track) for person_id, track in tracks.items()}


def _as_numbers(what: str, value: object, shape: str) -> np.ndarray:
    """Convert numbers that the user gives to an array of float64."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f'{what}: not an array of numbers, expected {shape}') from error


def _joint_indices(skeleton: Skeleton, joints: Sequence[str]) -> list[int]:
    unknown = [joint for joint in joints if joint not in skeleton.keypoint_names]
    if unknown:
        raise InputError(
            f'there is no joint {unknown[0]!r}, choose from {", ".join(skeleton.keypoint_names)}'
        )
    return [skeleton.index_of(joint) for joint in joints]


def _known_boxes(boxes: Boxes, state: PropagationState) -> Boxes:
    what = f'the boxes for {state.frames.name}'
    unknown = sorted(set(boxes) - set(state.tracks))
    if unknown:
        raise InputError(
            f'{what} are of track {unknown[0]}, but the labels have no such track, give boxes of '
            f'their tracks ({", ".join(map(str, sorted(state.tracks)))})'
        )
    if not any(boxes.values()):
        raise InputError(
            f'{what} hold no person box with a track id, give labels with boxes and track ids'
        )
    for track_id, track in sorted(state.tracks.items()):
        labels = [track[frame] for frame in boxes.get(track_id, {}) if frame in track]
        labels = [label for label in labels if label.has_joint]
        missed = [label for label in labels if not _is_around(label, boxes[track_id])]
        if not missed:
            continue
        around = Counter(other for other in boxes for p in missed if _is_around(p, boxes[other]))
        owners = [other for other, count in around.most_common(1) if 2 * count > len(missed)]
        sentence = (
            f'{what} of track {track_id} lie elsewhere than its labels in '
            f'{counted(len(missed), "frame")} ({ranges(sorted(p.frame_index for p in missed))})'
            f'{"".join(f", where those of track {other} lie" for other in owners)}, give each '
            'track the id that it has in the labels'
        )
        if 2 * len(missed) > len(labels):
            raise InputError(sentence)
        note(sentence)
    return boxes


def _is_around(label: PersonLabel, boxes: Mapping[int, np.ndarray]) -> bool:
    """Tell whether most joints of a label are in or near the box of its frame, if there is one."""
    if label.frame_index not in boxes:
        return False
    low, size = np.split(expand(boxes[label.frame_index], _BOX_MARGIN), 2)
    joints = label.keypoints[label.labelled]
    return bool(((joints >= low) & (joints <= low + size)).all(axis=1).mean() >= 0.5)
