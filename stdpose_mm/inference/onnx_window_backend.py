"""Backend of window networks in ONNX files, run by onnxruntime or OpenVINO on the CPU."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from stdpose_mm.constants import ONNX_RUNTIMES, CropPolicy
from stdpose_mm.errors import InputError, one_line, require_choice
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.labels import read_json
from stdpose_mm.onnx_session import OnnxSession, start_session
from stdpose_mm.structures import NUM_FRAMES, Skeleton, key_index
from stdpose_mm.structures.boxes import crop_affine
from stdpose_mm.structures.decode_gaussians import decode_gaussians
from stdpose_mm.structures.draw_gaussians import draw_gaussians

from .window_backend import (
    Crop,
    CropCodec,
    FrameFeatures,
    PoseCodec,
    WindowBackend,
    WindowLabels,
    equal_slices,
)

if TYPE_CHECKING:
    from .window_model import WindowModel

NETWORK_FILE = 'network.json'
FORMAT = 'stdpose_mm ONNX network 1'

FRAMES_FILE, WINDOWS_FILE = 'stdpose_frames.onnx', 'stdpose_windows.onnx'
"""Files of an STDPose that takes labels."""

ONNX_RECORD = 'stdpose_mm.stdpose'
"""Entry of these files' metadata that holds ``STDPOSE_RECORD`` as JSON."""

STDPOSE_RECORD = ('joints', 'trained', 'input_size', 'heatmap_size', 'sigma', 'padding', 'crops')
"""Names of the joints, and which were trained; sizes in pixels, width first; standard deviation of
a label's Gaussian in pixels of the heatmaps; factor by which a crop is larger than the person's
box; see :class:`CropCodec` for 'crops'. A further entry, 'trained_on', describes the training data
in a few words."""

FRAME_OUTPUTS = ('features', 'frame_heatmaps')
WINDOW_INPUTS = (*FRAME_OUTPUTS, 'given_heatmaps', 'given_mask', 'prior', 'position')

_EXPECTED = 'a folder written by `stdpose export` of this version'
_EXPECTED_STDPOSE = "a folder with an STDPose that this version exported for 'auto'"

_MAX_BATCH = 2
"""Larger batches exceed the cache: onnxruntime is up to 15 % slower, OpenVINO no faster."""

_ARRAYS = ('dataset_keypoint_weights', 'keypoint_colors', 'sigmas', 'skeleton_link_colors')


class OnnxWindowBackend(WindowBackend):
    """Backend of a network in ONNX files, one for each of its two halves.

    Args:
        encoder: Graph of frames: ``crops`` [M, 3, H', W'] -> fields of :class:`FrameFeatures`.
        fusion: Graph of windows: these fields [N, T, ...] and, if it takes labels, the fields of
            :class:`WindowLabels` -> ``heatmaps`` [N, K, h, w]; None for a network of single frames.
        codec, skeleton, trained_joints, num_frames: See :class:`WindowBackend`.
        batch_size: Maximum number of crops in one pass.
        windows_at_once: Maximum number of windows in one pass.
        flip_indices: Mirror image of each joint, to average with the mirrored view; None without
            it.
        shift_heatmap: MMPose's option for the mirrored view.

    Attributes:
        record: The record in the files of an STDPose.
    """

    single_threaded = True

    def __init__(
        self,
        encoder: OnnxSession,
        fusion: OnnxSession | None,
        codec: CropCodec,
        skeleton: Skeleton,
        trained_joints: np.ndarray,
        num_frames: int = NUM_FRAMES,
        batch_size: int = _MAX_BATCH,
        windows_at_once: int = _MAX_BATCH,
        flip_indices: Sequence[int] | None = None,
        shift_heatmap: bool = False,
    ) -> None:
        self.encoder, self.fusion, self.codec = encoder, fusion, codec
        self.skeleton, self.trained_joints, self.num_frames = skeleton, trained_joints, num_frames
        self.batch_size, self._windows_at_once = batch_size, windows_at_once
        self._flip_indices, self._shift_heatmap = flip_indices, shift_heatmap
        self.record: dict[str, Any] = {}
        # A graph only has the inputs that its network uses.
        self._taken = set() if fusion is None else {port.name for port in fusion.inputs}
        self.sees_windows = fusion is not None
        self.takes_labels = not self._taken.isdisjoint(WINDOW_INPUTS[len(FRAME_OUTPUTS) :])

    @classmethod
    def from_export(
        cls,
        folder: str | Path,
        window_model: WindowModel | None = None,
        precision: str = 'float32',
        batch_size: int = _MAX_BATCH,
        runtime: str = 'onnxruntime',
    ) -> OnnxWindowBackend:
        """Start a network from a folder that ``stdpose export`` wrote.

        Args:
            folder: The folder.
            window_model: Crops pictures and decodes heatmaps as in the config that the network was
                trained with; it has the joints of the network. None for what the folder says, which
                needs no OpenMMLab.
            precision: One that ``ONNX_RUNTIMES`` lists for the runtime: 'float32'; 'int8' for the
                graphs in 8 bits, if they were written, in onnxruntime; 'bfloat16' in OpenVINO.
            batch_size: Maximum number of crops, and of windows, in one pass of the network.
            runtime: 'onnxruntime' or 'openvino'.

        Raises:
            InputError: If the runtime does not exist or is not installed, it or the processor does
                not support the precision, a file is missing, damaged or from another export, the
                config belongs to another network, or the folder does not describe crops and codec.
        """
        require_choice('runtime', runtime, ONNX_RUNTIMES)
        require_choice(f'precision of {runtime}', precision, ONNX_RUNTIMES[runtime])
        folder = Path(folder)
        description = read_description(folder)
        sees_windows = graph_name('fusion') in description['files']
        # Exports without an entry were written before it was compared, or could vary.
        stored = {'num_frames': NUM_FRAMES, **description}
        for name, wanted in ({} if window_model is None else _settings(window_model)).items():
            if stored.get(name, wanted) != wanted and (sees_windows or name != 'num_frames'):
                raise InputError(
                    f'the network in {folder} has {name} {stored[name]} but the config says '
                    f'{wanted}, give the config it was exported with'
                )

        def start(half: str) -> OnnxSession:
            # bfloat16 is a setting of the runtime and uses the float32 graphs.
            name = graph_name(half, 'int8' if precision == 'int8' else 'float32')
            path = folder / name
            if name not in description['files'] or not path.is_file():
                raise InputError(
                    f'{folder} holds no {name}, export the network again (with --int8 for int8)'
                )
            session = start_session(path, _EXPECTED, runtime, precision)
            if session.file_digest != description['files'][name]:
                raise InputError(
                    f'{path} does not belong to the {NETWORK_FILE} beside it, export the network '
                    'again'
                )
            return session

        codec: PoseCodec
        if window_model is None:
            codec, skeleton, trained_joints = _described_parts(folder, description)
        else:
            codec = window_model
            skeleton, trained_joints = window_model.skeleton, window_model.trained_joints
        test_cfg = description['test_cfg']
        batch_size = min(batch_size, _MAX_BATCH)
        backend = cls(
            start('encoder'),
            start('fusion') if sees_windows else None,
            codec,
            skeleton,
            trained_joints,
            stored['num_frames'],
            batch_size,
            batch_size,
            description['metainfo']['flip_indices'] if test_cfg['flip_test'] else None,
            test_cfg['shift_heatmap'],
        )
        # Missing in exports of earlier versions.
        backend.trained_with_labels = description.get('trained_with_labels', False)
        return backend

    @classmethod
    def from_stdpose(cls, folder: Path) -> OnnxWindowBackend:
        """Start an STDPose that takes the labels of its auxiliary frames, in onnxruntime.

        Args:
            folder: Folder that contains ``FRAMES_FILE`` and ``WINDOWS_FILE``.

        Raises:
            InputError: If onnxruntime is missing, a file cannot be read or run, or the two describe
                different networks.
        """
        frames, of_frames = _open_stdpose(folder / FRAMES_FILE)
        windows, record = _open_stdpose(folder / WINDOWS_FILE)
        if record != of_frames:
            raise InputError(
                f'{FRAMES_FILE} and {WINDOWS_FILE} in {folder} belong to different networks, give '
                f'{_EXPECTED_STDPOSE}'
            )
        backend = cls(
            frames,
            windows,
            UdpCropCodec(
                tuple(record['input_size']),
                tuple(record['heatmap_size']),
                record['padding'],
                record['sigma'],
                record['crops'],
            ),
            Skeleton(tuple(record['joints'])),
            np.array(record['trained']),
            # The maps of more windows would exceed the processor's cache.
            batch_size=8,
            windows_at_once=4,
        )
        backend.record = record
        return backend

    def encode(self, crops: np.ndarray, maps_of: np.ndarray | None = None) -> FrameFeatures:
        """See :class:`WindowBackend`; all frames have heatmaps."""
        flips = (False,) if self._flip_indices is None else (False, True)
        outputs = self.encoder.outputs
        batches = []
        for chunk in equal_slices(len(crops), self.batch_size):
            plain = crops[chunk].transpose(0, 3, 1, 2)
            views = []
            for flip in flips:
                inputs = {'crops': np.ascontiguousarray(plain[..., ::-1] if flip else plain)}
                values = self.encoder.run(outputs, inputs)
                views.append(dict(zip(outputs, values, strict=True)))
            batches.append(FrameFeatures(tuple(views)))
        return FrameFeatures.concatenate(batches)

    def frame_heatmaps(self, features: FrameFeatures) -> np.ndarray:
        """See :class:`WindowBackend`."""
        return self._average([view['frame_heatmaps'] for view in features.views])

    def fuse(
        self, features: FrameFeatures, rows: np.ndarray, labels: WindowLabels | None = None
    ) -> np.ndarray:
        """See :class:`WindowBackend`.

        Raises:
            InputError: If labels are given to a network that takes none.
        """
        if labels is not None and not self.takes_labels:
            raise InputError(
                'an exported network takes no labels, give the checkpoint to propagate them'
            )
        if self.fusion is None:
            return self.frame_heatmaps(features.take(rows[:, key_index(rows.shape[1])]))
        return np.concatenate(
            [
                self._average([self.fusion.run(['heatmaps'], of_view)[0] for of_view in inputs])
                for inputs in self.window_inputs(features, rows, labels)
            ]
        )

    def window_inputs(
        self, features: FrameFeatures, rows: np.ndarray, window_labels: WindowLabels | None = None
    ) -> Iterator[list[dict[str, np.ndarray]]]:
        """Yield the inputs of the graph of windows in each pass of :meth:`fuse`, for each view."""
        labels = (
            ()
            if window_labels is None
            else tuple(zip(WINDOW_INPUTS[2:], window_labels, strict=True))
        )
        for chunk in equal_slices(len(rows), self._windows_at_once):
            of_labels = {name: values[chunk] for name, values in labels}
            yield [
                {
                    name: values
                    for name, values in {**frames, **of_labels}.items()
                    if name in self._taken
                }
                for frames in features.take(rows[chunk]).views
            ]

    def _average(self, heatmaps: Sequence[np.ndarray]) -> np.ndarray:
        """Average heatmaps [N, K, h, w] of the plain and the mirrored view, if there is one."""
        mean, *mirrored = heatmaps
        for maps in mirrored:
            flipped_back = maps[:, self._flip_indices, :, ::-1]
            if self._shift_heatmap:
                flipped_back = np.concatenate([flipped_back[..., :1], flipped_back[..., :-1]], -1)
            mean = (mean + flipped_back) * 0.5
        return mean


@dataclass(frozen=True)
class UdpCropCodec:
    """A :class:`PoseCodec` without MMPose, for its UDP crops and for ``BoundedUDPHeatmap``.

    Args:
        input_size: Width and height of the crops in pixels.
        heatmap_size: Width and height of the heatmaps.
        padding: Factor by which a crop is larger than the person's box.
        sigma: Standard deviation of a label's Gaussian in pixels of the heatmaps.
        crops: See :class:`CropCodec`.
        blur_kernel_size: Side of the kernel that blurs heatmaps before they are decoded, in pixels.
    """

    input_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    padding: float
    sigma: float
    crops: CropPolicy
    blur_kernel_size: int = 11

    def crop_at(self, box: np.ndarray) -> Crop:
        """See :class:`CropCodec`."""
        return Crop(box, crop_affine(box, self.input_size, self.padding, 'udp'))

    def crop_image(self, picture: np.ndarray, crop: Crop) -> np.ndarray:
        """See :class:`CropCodec`."""
        return cv2.warpAffine(picture, crop.to_crop, self.input_size, flags=cv2.INTER_LINEAR)

    def to_heatmap(self, crop: Crop) -> np.ndarray:
        """See :class:`CropCodec`; a crop and its heatmaps have the same corners."""
        sizes = np.array([self.heatmap_size, self.input_size], dtype=np.float64) - 1
        return crop.to_crop * (sizes[0] / sizes[1])[:, None]

    def encode_heatmaps(self, crop: Crop, pose: np.ndarray, has_joint: np.ndarray) -> np.ndarray:
        """See :class:`CropCodec`."""
        to_heatmap = self.to_heatmap(crop)
        points = pose @ to_heatmap[:, :2].T + to_heatmap[:, 2]
        return draw_gaussians(points, has_joint.astype(np.float32), self.heatmap_size, self.sigma)[
            0
        ]

    def decode(self, heatmaps: np.ndarray, crops: Sequence[Crop]) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`PoseCodec`."""
        keypoints, scores = [], []
        for maps, crop in zip(heatmaps, crops, strict=True):
            points, heights = decode_gaussians(maps, self.blur_kernel_size)
            shares = points / (np.array(self.heatmap_size, dtype=np.float64) - 1)
            extent = (np.array(self.input_size) - 1) / np.diag(crop.to_crop[:, :2])
            centre = crop.box[:2] + crop.box[2:] / 2
            keypoints.append((shares - 0.5) * extent + centre)
            scores.append(heights)
        return np.stack(keypoints), np.clip(np.stack(scores, dtype=np.float64), 0, 1)


def _described_parts(
    folder: Path, description: Mapping[str, Any]
) -> tuple[UdpCropCodec, Skeleton, np.ndarray]:
    """Build codec, skeleton and trained joints of an exported network from its description.

    Raises:
        InputError: If it does not say how pictures are cropped, or has another codec.
    """
    stored = description.get('light')
    if stored is None:
        raise InputError(
            f'the network in {folder} has crops or a codec that only MMPose knows, or was exported '
            'by an earlier version, export it again with use_udp=True and BoundedUDPHeatmap, or '
            'install PyTorch and MMPose (pip install stdpose-mm[train])'
        )
    codec = description['codec']
    names = description['metainfo']['keypoint_id2name']
    limbs = description['metainfo'].get('skeleton_links', ())
    return (
        UdpCropCodec(
            tuple(description['input_size']),
            tuple(description['heatmap_size']),
            description['crop_padding'],
            codec['sigma'],
            stored['crops'],
            codec['blur_kernel_size'],
        ),
        Skeleton(
            tuple(names[str(index)] for index in range(len(names))),
            limbs=tuple((int(first), int(second)) for first, second in limbs),
        ),
        np.array(stored['trained_joints']),
    )


def _open_stdpose(path: Path) -> tuple[OnnxSession, dict[str, Any]]:
    """Start one of the graphs of an STDPose, and read the record of its network."""
    session = start_session(path, _EXPECTED_STDPOSE, threads=1)
    try:
        record = json.loads(session.metadata[ONNX_RECORD])
        # Files without an entry were trained with crops of each frame.
        record.setdefault('crops', 'frame')
        return session, {name: record[name] for name in (*STDPOSE_RECORD, 'trained_on')}
    except (LookupError, ValueError) as error:
        raise InputError(
            f'{path} does not describe its joints ({one_line(error)}), give {_EXPECTED_STDPOSE}'
        ) from error


def graph_name(graph: str, precision: str = 'float32') -> str:
    """Return the file name of one of the graphs 'whole', 'encoder' and 'fusion'."""
    return f'{graph}.onnx' if precision == 'float32' else f'{graph}_{precision}.onnx'


def network_description(
    window_model: WindowModel, outputs: Sequence[str], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """Describe an exported network, for ``network.json``.

    Args:
        window_model: The model.
        outputs: Names of the encoder's outputs.
        files: File name -> content of every graph.
    """
    test_cfg = window_model.model.test_cfg
    return {
        'format': FORMAT,
        **_settings(window_model),
        'outputs': list(outputs),
        'trained_with_labels': window_model.trained_with_labels,
        # What is needed to run it without OpenMMLab; None if that is not possible.
        'light': {
            'crops': window_model.crops,
            'trained_joints': window_model.trained_joints.tolist(),
        }
        if window_model.has_udp_crops and window_model.codec['type'] == 'BoundedUDPHeatmap'
        else None,
        'test_cfg': {
            'flip_test': bool(test_cfg.get('flip_test', False)),
            'flip_mode': test_cfg.get('flip_mode', 'heatmap'),
            'shift_heatmap': bool(test_cfg.get('shift_heatmap', False)),
        },
        'metainfo': {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in window_model.metainfo.items()
        },
        # As in a checkpoint.
        'cfg': window_model.config_text,
        'files': {name: fingerprint(content) for name, content in files.items()},
    }


def _settings(window_model: WindowModel) -> dict[str, Any]:
    """List the settings that a config must share with an exported network."""
    return {
        'input_size': list(window_model.input_size),
        'heatmap_size': list(window_model.heatmap_size),
        'crop_padding': window_model.crop_padding,
        'codec': window_model.codec,
        'num_frames': window_model.num_frames,
    }


def read_description(folder: Path) -> dict[str, Any]:
    """Read the ``network.json`` of an exported network.

    Raises:
        InputError: If it is missing or describes something else.
    """
    path = folder / NETWORK_FILE
    if not path.is_file():
        raise InputError(f'{folder} holds no {NETWORK_FILE}, give {_EXPECTED}')
    content = read_json(path)
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise InputError(f'{path} does not describe a {FORMAT}, export the network again')
    return content


def stored_metainfo(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return MMPose's parsed metainfo of an exported network's joints."""
    stored = description['metainfo']
    names = {int(index): name for index, name in stored['keypoint_id2name'].items()}
    arrays = {name: np.array(stored[name]) for name in _ARRAYS if name in stored}
    return {**stored, 'keypoint_id2name': names, **arrays}
