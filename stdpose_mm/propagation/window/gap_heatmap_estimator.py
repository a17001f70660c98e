"""Heatmaps of whole gaps by a window model: every frame is cropped and encoded once."""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import torch

from stdpose_mm.inference import (
    Crop,
    FrameFeatures,
    TorchWindowBackend,
    WindowModel,
    prefetch,
)
from stdpose_mm.io.video import FrameSource
from stdpose_mm.models.structures import AuxiliaryLabels
from stdpose_mm.propagation import Gap
from stdpose_mm.propagation.gap_windows import (
    MAX_KEYS,
    boxes_with_ends,
    gap_parts,
    gap_window,
    labels_of_window,
    poses_at_ends,
)
from stdpose_mm.structures import (
    Window,
    estimation_window,
    fill_window,
    snap_window,
)
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.structures.slices import equal_slices


@dataclass(frozen=True)
class EstimatedHeatmaps:
    """Hold a model's heatmaps of the frames of a gap, each in a crop of its own.

    Args:
        frames: The F frames that the maps belong to, ascending: those of the gap, or of a chunk of
            it, and the labels at both ends of the gap unless the model looks at single frames.
        frame_heatmaps: [F, K, h, w] float32, every frame seen by itself; K joints of the model.
            Zeros if they are not requested or the model has no frame head.
        final_heatmaps: [F, K, h, w] float32, every frame seen in its window, given labels
            included; zeros at frames that carry a label.
        to_heatmap: [F, 2, 3] affine from pixels of each picture to pixels of its maps.
        crops: The crops of the F frames.
    """

    frames: Sequence[int]
    frame_heatmaps: np.ndarray
    final_heatmaps: np.ndarray
    to_heatmap: np.ndarray
    crops: tuple[Crop, ...]


class GapHeatmapEstimator:
    """Run a window model over gaps, T + 1 passes of the backbone for a gap between two labels.

    A frame is cropped at the person's box in it, whatever window it is in, so that the windows of a
    gap share the features of their frames. (In training all frames of a window are cropped at the
    box of the key frame; ``research/docs/tried.md`` gives the cost.) Frames are decoded and cropped
    by a thread that stays a few pictures ahead; every picture is read once for all people. Beyond
    the first or last label the other auxiliary frame mirrors the distance, up to ``MIRROR_REACH``
    frames and the end of the gap, and carries no label.

    A model whose windows have more than three frames sees, between each of these two auxiliary
    frames and the key frame, evenly spaced frames of the gap too, without labels
    (:func:`~stdpose_mm.structures.fill_window`).

    A gap of more than ``MAX_KEYS`` frames is taken in chunks, so that memory does not grow with its
    length; every chunk encodes the label frames at both ends again. Windows of more than three
    frames have their further frames within the chunk then.

    A model without a neck, or with ``test_cfg.use_frame_head``, looks at single frames: the label
    frames are not read then, and both kinds of maps are the same. A model that takes no labels sees
    the direct neighbours of each frame, as in pose estimation.

    Args:
        window_model: The model with its pipeline.
        batch_size: Crops, and windows, that the network sees at once.
        frame_maps: Whether to estimate the maps of every frame by itself.

    Raises:
        ValueError: If the batch size is not positive.
    """

    def __init__(
        self, window_model: WindowModel, batch_size: int = 8, frame_maps: bool = True
    ) -> None:
        self.window_model = window_model
        self._frame_maps = frame_maps
        self._network = TorchWindowBackend(window_model, batch_size)

    def heatmaps(
        self, frames: FrameSource, gaps: Sequence[Gap], mapping: JointMapping
    ) -> Generator[tuple[Gap, EstimatedHeatmaps], None, None]:
        """Estimate the heatmaps of gaps.

        Args:
            frames: The video. Another thread reads from it until the iterator ends or is closed.
            gaps: Gaps of one or several tracks.
            mapping: The joints of the gaps' labels among those of the model.

        Yields:
            Every gap with its maps, roughly in the order in which the gaps end. A gap of up to
            ``MAX_KEYS`` frames comes once and has maps of the frames ``gap.first..gap.last``; a
            longer one comes in chunks, ascending: each of its frames is in one of them, the labels
            at its ends are in all.

        Raises:
            InputError: If a frame cannot be read.
        """
        ready: list[_Chunk] = []
        in_order = sorted(gaps, key=lambda gap: (gap.first, gap.last, gap.track_id))
        plan = _reading_order((gap.first, self._chunks(gap, mapping)) for gap in in_order)
        with closing(prefetch(self._crop(frames, plan))) as cropped:
            for frame, chunks, pictures in cropped:
                for chunk, picture in zip(chunks, pictures, strict=True):
                    chunk.pictures[frame] = picture
                    if len(chunk.pictures) == len(chunk.crops):
                        ready.append(chunk)
                    if sum(len(chunk.crops) for chunk in ready) >= self._network.batch_size:
                        yield from self._evaluate(ready)
                        ready = []
        yield from self._evaluate(ready)

    def _crop(
        self, frames: FrameSource, plan: Iterable[tuple[int, list[_Chunk]]]
    ) -> Iterator[tuple[int, list[_Chunk], list[np.ndarray]]]:
        crop_image = self.window_model.crop_image
        for frame, chunks in plan:
            picture = frames[frame]
            yield frame, chunks, [crop_image(picture, chunk.crops[frame]) for chunk in chunks]

    def _chunks(self, gap: Gap, mapping: JointMapping) -> list[_Chunk]:
        """Divide a gap into chunks of nearly equal length."""
        return [self._chunk(gap, keys, mapping) for _, keys in gap_parts(gap, MAX_KEYS)]

    def _chunk(self, gap: Gap, keys: range, mapping: JointMapping) -> _Chunk:
        labels, shown = poses_at_ends(gap, mapping)
        if self._network.sees_windows:
            boxes = boxes_with_ends(gap, keys)
        else:
            boxes = {key: gap.bbox_of(key) for key in keys}
        return _Chunk(
            gap=gap,
            keys=keys,
            windows=self._windows(gap, keys, [*boxes]),
            labels=labels,
            shown=shown,
            crops={frame: self.window_model.crop_at(box) for frame, box in boxes.items()},
        )

    def _windows(self, gap: Gap, keys: range, cropped: Sequence[int]) -> list[Window]:
        """Return the window of every key; none if the model sees single frames."""
        if not self._network.sees_windows:
            return []
        num_frames = self.window_model.num_frames
        if not self.window_model.model.takes_labels:
            # A label is a neighbour of the keys only where it is right beside them.
            first = keys[0] - (keys[0] - 1 in cropped)
            last = keys[-1] + (keys[-1] + 1 in cropped)
            return [estimation_window(key, first, last, num_frames=num_frames) for key in keys]
        windows = (fill_window(gap_window(key, gap, keys), num_frames) for key in keys)
        # Between the keys of a chunk and a far label there are frames of other chunks.
        return [snap_window(window, cropped) for window in windows]

    def _evaluate(self, chunks: Sequence[_Chunk]) -> Iterator[tuple[Gap, EstimatedHeatmaps]]:
        """Yield the maps of chunks whose crops are complete; drops the crops."""
        if not chunks:
            return
        pictures = np.stack([c.pictures.pop(frame) for c in chunks for frame in c.crops])
        rows = count()
        row_of = [{frame: next(rows) for frame in chunk.crops} for chunk in chunks]
        sees_windows = self._network.sees_windows
        maps_of = None
        if sees_windows and not self._frame_maps:
            maps_of = np.concatenate([np.isin([*c.crops], [*c.read_maps()]) for c in chunks])
        features = self._network.encode(pictures, maps_of)
        if self._frame_maps or not sees_windows:
            final = single = self._network.frame_heatmaps(features)
        if sees_windows:
            final = self._final_heatmaps(chunks, row_of, features)
            if not self._frame_maps:
                single = np.zeros((len(features), *final.shape[1:]), np.float32)
        start = 0
        for chunk, row in zip(chunks, row_of, strict=True):
            frames = [*chunk.crops]
            frame_maps = final_maps = single[[row[frame] for frame in frames]]
            if sees_windows:
                final_maps = np.zeros_like(frame_maps)
                inner = frames.index(chunk.keys[0])
                stop = start + len(chunk.keys)
                final_maps[inner : inner + len(chunk.keys)] = final[start:stop]
                start = stop
            crops = tuple(chunk.crops.values())
            to_heatmap = np.stack([self.window_model.to_heatmap(crop) for crop in crops])
            maps = EstimatedHeatmaps(frames, frame_maps, final_maps, to_heatmap, crops)
            yield chunk.gap, maps

    def _final_heatmaps(
        self, chunks: Sequence[_Chunk], row_of: Sequence[dict[int, int]], features: FrameFeatures
    ) -> np.ndarray:
        """Return heatmaps [N, K, h, w] of all windows of all chunks."""
        label_maps = [self._label_maps(chunk) for chunk in chunks]
        windows = [(n, window) for n, chunk in enumerate(chunks) for window in chunk.windows]
        batches = []
        # The label heatmaps of all windows at once would take more memory than the network.
        for batch in equal_slices(len(windows), self._network.batch_size):
            rows = np.array([[row_of[n][frame] for frame in w.frames] for n, w in windows[batch]])
            given = self._given([(chunks[n], label_maps[n], w) for n, w in windows[batch]])
            batches.append(self._network.fuse(features, rows, given))
        return np.concatenate(batches)

    def _label_maps(self, chunk: _Chunk) -> np.ndarray:
        """Encode the labels at both ends [2, K, h, w], each in its frame's crop; else empty."""
        width, height = self.window_model.heatmap_size
        maps = np.zeros((*chunk.shown.shape, height, width), dtype=np.float32)
        for side, label in enumerate((chunk.gap.left, chunk.gap.right)):
            if label is not None:
                crop = chunk.crops[label.frame_index]
                maps[side] = self.window_model.encode_heatmaps(
                    crop, chunk.labels[side], chunk.shown[side]
                )
        return maps

    def _given(self, windows: Sequence[tuple[_Chunk, np.ndarray, Window]]) -> AuxiliaryLabels:
        """Stack the labels given in windows, each of a chunk with label maps [2, K, h, w]."""
        maps, masks, priors, positions = [], [], [], []
        for chunk, label_maps, window in windows:
            shown, pose, pose_shown = labels_of_window(chunk.labels, chunk.shown, window)
            crop = chunk.crops[window.key]
            maps.append(label_maps)
            masks.append(shown)
            priors.append(self.window_model.encode_heatmaps(crop, pose, pose_shown))
            positions.append(window.position)
        return AuxiliaryLabels(
            heatmaps=torch.from_numpy(np.stack(maps)),
            mask=torch.from_numpy(np.stack(masks)),
            prior=torch.from_numpy(np.stack(priors)),
            position=torch.tensor(positions),
        )


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Hold the frames of a gap, or a part of a long gap's, that are estimated at once.

    Args:
        gap: The gap.
        keys: The frames to estimate.
        windows: One for every key; empty if the model sees single frames.
        labels: [2, K, 2] the labels at both ends of the gap in pixels, joints of the model.
        shown: [2, K] bool: which joints the labels have.
        crops: Frame index -> crop, ascending: of the keys and the label frames.
        pictures: Frame index -> cropped picture uint8 [H', W', 3], filled as frames are read.
    """

    gap: Gap
    keys: range
    windows: list[Window]
    labels: np.ndarray
    shown: np.ndarray
    crops: dict[int, Crop]
    pictures: dict[int, np.ndarray] = field(default_factory=dict)

    def read_maps(self) -> set[int]:
        """Return frames whose predicted maps are read: not where a label replaces every joint's."""
        read: set[int] = set()
        for window in self.windows:
            read.update(window.frames[1:-1])
            for frame, is_given, shown in zip(
                (window.left, window.right), window.given, self.shown, strict=True
            ):
                if not (is_given and shown.all()):
                    read.add(frame)
        return read


def _reading_order(
    gaps: Iterable[tuple[int, Sequence[_Chunk]]],
) -> Iterator[tuple[int, list[_Chunk]]]:
    """Order the frames to read; yield each with the chunks that it is for.

    Frames ascend, with one exception: the far label of a gap in several chunks, which its first
    chunk needs already, is read early.

    Args:
        gaps: First frame and chunks of every gap, first frames ascending.
    """
    numbers = count()
    demands: list[tuple[int, int, int, _Chunk]] = []

    def read_before(time: float) -> Iterator[tuple[int, list[_Chunk]]]:
        while demands and demands[0][0] < time:
            when, frame, _, chunk = heapq.heappop(demands)
            chunks = [chunk]
            while demands and demands[0][:2] == (when, frame):
                chunks.append(heapq.heappop(demands)[3])
            yield frame, chunks

    for first, chunks in gaps:
        yield from read_before(first)
        for chunk in chunks:
            for frame in chunk.crops:
                is_far = chunk is not chunks[-1] and frame > chunks[-1].keys[-1]
                heapq.heappush(demands, (first if is_far else frame, frame, next(numbers), chunk))
    yield from read_before(float('inf'))
