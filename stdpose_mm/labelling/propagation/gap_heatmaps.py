"""Heatmaps of gaps by a network that sees windows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, count, groupby
from operator import itemgetter

import numpy as np

from stdpose_mm.inference.threads import prefetch, thread_map
from stdpose_mm.inference.window_backend import (
    Crop,
    CropCodec,
    FrameFeatures,
    WindowBackend,
    WindowLabels,
    equal_slices,
    fill_batches,
)
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import (
    Window,
    estimation_window,
    fill_window,
    interpolate_pose,
    person_box,
    propagation_window,
    snap_window,
)
from stdpose_mm.structures.joint_mapping import JointMapping

from .gaps import Gap

MIRROR_REACH = 15
"""Maximum distance in frames between the key frame and an auxiliary frame without a label: the
largest one in training."""

MAX_KEYS = 64
"""Number of frames of a gap that are estimated together; a longer gap is split into chunks."""

View = tuple[int, int]
"""A frame to crop, and the frame whose person box it is cropped at."""

GapChunk = tuple[Gap, range]
"""A gap, and consecutive frames of it to estimate."""


@dataclass(frozen=True)
class GapHeatmaps:
    """Heatmaps of a network of any kind in frames of a gap, each in its own crop.

    Args:
        frames: The F frames of the maps, ascending.
        frame_heatmaps: [F, K, h, w] float32 of every frame alone; zeros where not requested.
        final_heatmaps: [F, K, h, w] float32 of every frame in its window, given labels included;
            zeros at frames with a label. None if the network sees single frames.
        to_heatmap: [F, 2, 3] affine from pixels of each picture to pixels of its maps.
        has_heatmap: [F, K] bool: frames and joints that have a heatmap.
        crops: The crops of the F frames, if the network sees windows.
    """

    frames: Sequence[int]
    frame_heatmaps: np.ndarray
    final_heatmaps: np.ndarray | None
    to_heatmap: np.ndarray
    has_heatmap: np.ndarray
    crops: Sequence[Crop] = ()

    def for_labels(self, mapping: JointMapping) -> GapHeatmaps:
        """Reorder the joints of the network as in the labels."""
        final = self.final_heatmaps
        return replace(
            self,
            frame_heatmaps=mapping.to_labels(self.frame_heatmaps, axis=1),
            final_heatmaps=None if final is None else mapping.to_labels(final, axis=1),
            has_heatmap=mapping.to_labels(self.has_heatmap, axis=1),
        )


def split_gap(gap: Gap) -> list[GapChunk]:
    """Split the frames of a gap into chunks of at most ``MAX_KEYS`` and nearly equal length."""
    return [(gap, gap.frames[keys]) for keys in equal_slices(len(gap.frames), MAX_KEYS)]


def gap_window(key: int, gap: Gap, keys: Sequence[int]) -> Window:
    """Choose the window of a key frame: the labels at both ends of its gap are auxiliary frames.

    Before the first and after the last label of a track, the other auxiliary frame has no label and
    lies at the same distance on the other side, within ``MIRROR_REACH`` frames and ``keys``.

    Args:
        key: The key frame.
        gap: Its gap.
        keys: The frames of the gap that are estimated together.
    """
    first = keys[0] if gap.left is None else gap.first
    last = keys[-1] if gap.right is None else gap.last
    window = propagation_window(key, gap.given, first, last)
    left_given, right_given = window.given
    if not left_given:
        return replace(window, left=max(window.left, key - MIRROR_REACH))
    if not right_given:
        return replace(window, right=min(window.right, key + MIRROR_REACH))
    return window


def boxes_with_ends(gap: Gap, keys: Sequence[int]) -> dict[int, np.ndarray]:
    """Return the person boxes [4] in frames of a gap and at its labels, frames ascending.

    A label that has neither joints nor a box, such as a box of the head alone, gets the box of the
    nearest frame of the gap.
    """
    boxes = {key: gap.bbox_of(key) for key in keys}
    for label, nearest in ((gap.left, gap.bboxes[0]), (gap.right, gap.bboxes[-1])):
        if label is not None:
            boxes[label.frame_index] = person_box(label) if label.has_joint_or_box else nearest
    return {frame: boxes[frame] for frame in sorted(boxes)}


def read_chunks(
    frames: FrameSource,
    chunks: Sequence[GapChunk],
    wanted: Sequence[Collection[int]],
    use: Callable[[int, int, np.ndarray], object],
) -> Iterator[list[int]]:
    """Read the frames that chunks of gaps need, each once for all chunks.

    Frames ascend, with one exception: if a gap has several chunks, its right label is read early,
    because the first chunk needs it already.

    Args:
        frames: The video.
        chunks: The chunks.
        wanted: The frames that each chunk needs.
        use: Called with the number of the chunk, the frame and its picture.

    Yields:
        After every frame, the numbers of the chunks that now have all their frames.
    """
    demands = []
    for number, ((gap, keys), wanted_frames) in enumerate(zip(chunks, wanted, strict=True)):
        for frame in wanted_frames:
            is_far = frame > keys[-1] and keys[-1] != gap.frames[-1]
            demands.append((gap.first if is_far else frame, frame, number))
    missing = [len(wanted_frames) for wanted_frames in wanted]
    for (_, frame), of_frame in groupby(sorted(demands), key=itemgetter(0, 1)):
        picture = frames[frame]
        complete = []
        for *_, number in of_frame:
            use(number, frame, picture)
            missing[number] -= 1
            if not missing[number]:
                complete.append(number)
        yield complete


class GapHeatmapEstimator:
    """Runner of a network that sees windows over gaps.

    With ``crops`` 'frame' of the codec, a frame is cropped at the person's box in it, whatever
    window it is in, so that the windows of a gap share the features of their frames: T + 1 passes
    of the encoder per gap. With 'window', all frames of a window are cropped at the box of its key
    frame: up to ``num_frames`` passes per key frame.

    Windows of more than three frames have further unlabelled frames of the chunk, evenly spaced
    between the auxiliary frames and the key frame (:func:`~stdpose_mm.structures.fill_window`). A
    network that sees single frames does not read the frames of labels, and both kinds of its maps
    are the same. A network that takes no labels sees the direct neighbours of each frame, as in
    pose estimation.

    Args:
        backend: The network.
        frame_maps: Whether to estimate the maps of every frame alone.
    """

    def __init__(self, backend: WindowBackend, frame_maps: bool = True) -> None:
        self.backend = backend
        self._frame_maps = frame_maps

    def heatmaps(
        self, frames: FrameSource, chunks: Sequence[GapChunk], mapping: JointMapping
    ) -> Generator[tuple[int, GapHeatmaps], None, None]:
        """Estimate the heatmaps of some frames of gaps, and of the labels at their ends.

        A thread decodes and crops frames a few pictures ahead.

        Args:
            frames: The video. Another thread reads it until the iterator ends or is closed.
            chunks: Gaps, each with frames of it, see :func:`split_gap`.
            mapping: The joints of the gaps' labels among those of the network.

        Yields:
            The number of each chunk and its maps, with the joints of the network, roughly in the
            order in which the chunks end.

        Raises:
            InputError: If a frame cannot be read.
        """
        with closing(prefetch(self._crop(frames, chunks, mapping))) as cropped:
            evaluate = thread_map if self.backend.single_threaded else map
            # Chunks whose crops together fill a batch of the network.
            batches = fill_batches(
                chain.from_iterable(cropped),
                lambda numbered: len(numbered[1].views),
                self.backend.batch_size,
            )
            for results in evaluate(self._evaluate_batch, batches):
                yield from results

    def _crop(
        self, frames: FrameSource, chunks: Sequence[GapChunk], mapping: JointMapping
    ) -> Iterator[list[_Numbered]]:
        """Yield, after every frame, the chunks whose pictures are all cropped."""
        opened: dict[int, CroppedChunk] = {}

        def crop(number: int, frame: int, picture: np.ndarray) -> None:
            if number not in opened:
                opened[number] = self.open(*chunks[number], mapping)
            opened[number].add(frame, picture)

        reads_labels = self.backend.sees_windows
        wanted = [{*keys, *(gap.given if reads_labels else ())} for gap, keys in chunks]
        for complete in read_chunks(frames, chunks, wanted, crop):
            yield [(number, opened.pop(number)) for number in complete]

    def _evaluate_batch(self, batch: Sequence[_Numbered]) -> list[tuple[int, GapHeatmaps]]:
        numbers, chunks = zip(*batch, strict=True)
        return list(zip(numbers, self.evaluate(chunks), strict=True))

    def open(self, gap: Gap, keys: range, mapping: JointMapping) -> CroppedChunk:
        """Prepare a chunk for its pictures."""
        poses = np.zeros((2, mapping.num_model, 2))
        labelled = np.zeros((2, mapping.num_model), dtype=bool)
        for side, label in enumerate((gap.left, gap.right)):
            if label is not None:
                poses[side] = mapping.to_model(label.keypoints)
                labelled[side] = mapping.to_model(label.labelled)
        boxes = {key: gap.bbox_of(key) for key in keys}
        if self.backend.sees_windows:
            boxes = boxes_with_ends(gap, keys)
        codec = self.backend.codec
        crops = {frame: codec.crop_at(box) for frame, box in boxes.items()}
        windows = self._windows(gap, keys, [*boxes])
        views = {(frame, frame) for frame in crops}
        if windows and codec.crops == 'window':
            views = views if self._frame_maps else set()
            views |= {(frame, window.key) for window in windows for frame in window.frames}
        return CroppedChunk(codec, gap, keys, windows, poses, labelled, crops, sorted(views))

    def _windows(self, gap: Gap, keys: range, cropped: Sequence[int]) -> list[Window]:
        """Return the window of every key; none if the network sees single frames."""
        num_frames = self.backend.num_frames
        if not self.backend.sees_windows:
            return []
        if not self.backend.takes_labels:
            # A label is a neighbour of a key only if it is right beside it.
            first = keys[0] - (keys[0] - 1 in cropped)
            last = keys[-1] + (keys[-1] + 1 in cropped)
            return [estimation_window(key, first, last, num_frames=num_frames) for key in keys]
        windows = (fill_window(gap_window(key, gap, keys), num_frames) for key in keys)
        # Frames of other chunks lie between the keys of a chunk and a distant label.
        return [snap_window(window, cropped) for window in windows]

    def evaluate(self, chunks: Sequence[CroppedChunk]) -> list[GapHeatmaps]:
        """Estimate the maps of chunks that have all their pictures, then drop the pictures."""
        backend = self.backend
        pictures = np.stack([c.pictures.pop(view) for c in chunks for view in c.views])
        rows = count()
        row_of = [{view: next(rows) for view in chunk.views} for chunk in chunks]
        maps_of = None
        if backend.sees_windows and not self._frame_maps:
            maps_of = np.concatenate([c.reads_maps() for c in chunks])
        features = backend.encode(pictures, maps_of)
        single = None
        if self._frame_maps or not backend.sees_windows:
            single = backend.frame_heatmaps(features)
        if backend.sees_windows:
            final = self._final_heatmaps(chunks, row_of, features)
        results = []
        start = 0
        for chunk, row in zip(chunks, row_of, strict=True):
            frames = [*chunk.crops]
            if single is None:
                frame_maps = np.zeros((len(frames), *final.shape[1:]), np.float32)
            else:
                frame_maps = final_maps = single[[row[frame, frame] for frame in frames]]
            if backend.sees_windows:
                final_maps = np.zeros_like(frame_maps)
                inner = frames.index(chunk.keys[0])
                stop = start + len(chunk.keys)
                final_maps[inner : inner + len(chunk.keys)] = final[start:stop]
                start = stop
            crops = [*chunk.crops.values()]
            to_heatmap = np.stack([backend.codec.to_heatmap(crop) for crop in crops])
            has_heatmap = np.ones(frame_maps.shape[:2], dtype=bool)
            results.append(
                GapHeatmaps(frames, frame_maps, final_maps, to_heatmap, has_heatmap, crops)
            )
        return results

    def evaluate_labels(self, chunk: CroppedChunk) -> GapHeatmaps:
        """Estimate the maps of the labelled frames of a chunk, every frame alone."""
        backend = self.backend
        frames = [frame for frame in chunk.crops if frame not in chunk.keys]
        features = backend.encode(np.stack([chunk.pictures[frame, frame] for frame in frames]))
        maps = backend.frame_heatmaps(features)
        to_heatmap = np.stack([backend.codec.to_heatmap(chunk.crops[frame]) for frame in frames])
        return GapHeatmaps(frames, maps, None, to_heatmap, np.ones(maps.shape[:2], dtype=bool))

    def _final_heatmaps(
        self,
        chunks: Sequence[CroppedChunk],
        row_of: Sequence[dict[View, int]],
        features: FrameFeatures,
    ) -> np.ndarray:
        """Return heatmaps [N, K, h, w] of all windows of all chunks."""
        windows = [(n, window) for n, chunk in enumerate(chunks) for window in chunk.windows]
        encode = self.backend.codec.encode_heatmaps
        batches = []

        # The windows of a chunk share these maps unless they are cropped at their key frames.
        @lru_cache(maxsize=2)
        def label_maps(n: int, side: int, at: int) -> np.ndarray:
            chunk = chunks[n]
            return encode(chunk.crops[at], chunk.poses[side], chunk.labelled[side])

        # Label heatmaps of all windows at once would take more memory than the network.
        for batch in equal_slices(len(windows), self.backend.batch_size):
            rows, maps, masks, priors, positions = [], [], [], [], []
            for n, window in windows[batch]:
                chunk = chunks[n]
                views = [chunk.view(frame, window) for frame in window.frames]
                rows.append([row_of[n][view] for view in views])
                maps.append([label_maps(n, 0, views[0][1]), label_maps(n, 1, views[-1][1])])
                masks.append(chunk.labelled & np.array(window.given)[:, None])
                pose, has_joint = interpolate_pose(chunk.poses, masks[-1], window.position)
                priors.append(encode(chunk.crops[window.key], pose, has_joint))
                positions.append(window.position)
            window_labels = WindowLabels(
                np.array(maps), np.array(masks), np.array(priors), np.array(positions, np.float32)
            )
            batches.append(self.backend.fuse(features, np.array(rows), window_labels))
        return np.concatenate(batches)


@dataclass(frozen=True, eq=False)
class CroppedChunk:
    """Frames of a gap that are estimated at once.

    Args:
        codec: Crops pictures.
        gap: The gap.
        keys: The frames to estimate.
        windows: The window of every key; empty if the network sees single frames.
        poses: [2, K, 2] labels at both ends of the gap in pixels, with the joints of the network.
        labelled: [2, K] bool: joints that the labels have.
        crops: Frame index -> crop at the person's box in it, of the keys and the labelled frames,
            ascending.
        views: What the network sees, ascending.
        pictures: View -> cropped picture uint8 [H', W', 3], filled as frames are read.
    """

    codec: CropCodec
    gap: Gap
    keys: range
    windows: list[Window]
    poses: np.ndarray
    labelled: np.ndarray
    crops: dict[int, Crop]
    views: list[View]
    pictures: dict[View, np.ndarray] = field(default_factory=dict)

    def view(self, frame: int, window: Window) -> View:
        """Return the view of a frame in a window."""
        return frame, window.key if self.codec.crops == 'window' else frame

    def add(self, frame: int, picture: np.ndarray) -> None:
        """Crop the picture of a frame."""
        for view in self.views:
            if view[0] == frame:
                self.pictures[view] = self.codec.crop_image(picture, self.crops[view[1]])

    def reads_maps(self) -> np.ndarray:
        """Return for each view whether its predicted maps are used: no label replaces all joints.

        Views of one frame are not told apart.
        """
        read: set[int] = set()
        for window in self.windows:
            read.update(window.frames[1:-1])
            for frame, is_given, has_joint in zip(
                (window.left, window.right), window.given, self.labelled, strict=True
            ):
                if not (is_given and has_joint.all()):
                    read.add(frame)
        return np.isin([frame for frame, _ in self.views], [*read])


_Numbered = tuple[int, CroppedChunk]
"""The number of a chunk, and the chunk."""
