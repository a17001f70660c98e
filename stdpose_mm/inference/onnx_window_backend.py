"""Backend of a window model in ONNX files, run by onnxruntime or OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from stdpose_mm.constants import ONNX_RUNTIMES
from stdpose_mm.errors import InputError, require_choice, require_type, require_whole
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.labels import read_json
from stdpose_mm.models.structures import AuxiliaryLabels
from stdpose_mm.onnx_session import OnnxSession, open_network, start_session
from stdpose_mm.structures import NUM_FRAMES, key_place
from stdpose_mm.structures.slices import equal_slices

from .window_backend import FrameFeatures, FrameView, average_views
from .window_model import WindowModel

NETWORK_FILE = 'network.json'
FORMAT = 'stdpose_mm ONNX network 1'

_MAX_BATCH = 2
"""Larger batches leave the cache: onnxruntime is up to 15 % slower, OpenVINO no faster."""

_ARRAYS = ('dataset_keypoint_weights', 'keypoint_colors', 'sigmas', 'skeleton_link_colors')
_EXPECTED = 'a folder written by tools/export_onnx.py'


class OnnxWindowBackend:
    """Run the two halves of a network from a folder that ``tools/export_onnx.py`` wrote.

    The folder holds all that is needed to run it; crops and decoding are those of a
    :class:`WindowModel`, which needs the config (:meth:`window_model`).

    Args:
        folder: The folder.
        precision: One that ``ONNX_RUNTIMES`` lists for the runtime: 'float32'; 'int8' for the
            graphs in 8 bits if they were written, by onnxruntime; 'bfloat16', by OpenVINO.
        batch_size: Crops, and windows, in one pass of the network, at most.
        runtime: 'onnxruntime' or 'openvino'.

    Raises:
        InputError: If there is no such runtime, it or the processor does not have the precision,
            the batch size is not positive, the runtime is not installed, or a file is missing,
            damaged, or not from the same export as the others.
    """

    def __init__(
        self,
        folder: str | Path,
        precision: str = 'float32',
        batch_size: int = 8,
        runtime: str = 'onnxruntime',
    ) -> None:
        require_type('folder', folder, (str, PathLike), 'a path')
        require_choice('runtime', runtime, ONNX_RUNTIMES)
        require_choice(f'precision of {runtime}', precision, ONNX_RUNTIMES[runtime])
        require_whole('batch_size', batch_size, 1)
        self.folder = Path(folder)
        self._batch_size = min(batch_size, _MAX_BATCH)
        self._description = _read_description(self.folder)
        self._outputs: Sequence[str] = self._description['outputs']
        self._encoder = self._session('encoder', precision, runtime)
        self._fusion = self._session('fusion', precision, runtime) if self.sees_windows else None

    @property
    def sees_windows(self) -> bool:
        """See :class:`~stdpose_mm.inference.WindowBackend`."""
        return graph_name('fusion') in self._description['files']

    @property
    def metainfo(self) -> dict[str, Any]:
        """Return MMPose's parsed metainfo of the network's joints."""
        stored = self._description['metainfo']
        names = {int(index): name for index, name in stored['keypoint_id2name'].items()}
        arrays = {name: np.array(stored[name]) for name in _ARRAYS if name in stored}
        return {**stored, 'keypoint_id2name': names, **arrays}

    def window_model(self, config: str | Path | Config) -> WindowModel:
        """Build the model that crops pictures for this network and decodes its heatmaps.

        Args:
            config: The config that the network was trained with. It says how pictures are cropped
                and heatmaps decoded; the joints are the network's, whatever those of the config.

        Raises:
            InputError: If the config cannot be used, its crops or heatmaps have another size, its
                crops another padding, its heatmaps another codec, or its windows another number of
                frames.
        """
        model = WindowModel.without_weights(config, self.metainfo, self._description['test_cfg'])
        for what, sizes in (('crops', 'input_size'), ('heatmaps', 'heatmap_size')):
            own, wanted = tuple(self._description[sizes]), getattr(model, sizes)
            if own != wanted:
                raise InputError(
                    f'the network in {self.folder} has {what} of {own[0]}x{own[1]} but the config '
                    f'says {wanted[0]}x{wanted[1]}, give the config it was exported with'
                )
        # Exports without the entry were written before it was compared.
        padding = self._description.get('crop_padding', model.crop_padding)
        if padding != model.crop_padding:
            raise InputError(
                f'the network in {self.folder} has crops padded by {padding} but the config says '
                f'{model.crop_padding}, give the config it was exported with'
            )
        # Exports without the entry were written before it was compared.
        codec, wanted = self._description.get('codec', model.codec), model.codec
        for name in sorted(codec.keys() | wanted.keys()):
            if codec.get(name) != wanted.get(name):
                raise InputError(
                    f'the heatmaps of the network in {self.folder} are decoded with {name} '
                    f'{codec.get(name)} but the config says {wanted.get(name)}, give the config it '
                    'was exported with'
                )
        # Exports without the entry were written before windows could have more frames.
        num_frames = self._description.get('num_frames', NUM_FRAMES)
        if self.sees_windows and num_frames != model.num_frames:
            raise InputError(
                f'the network in {self.folder} has windows of {num_frames} frames but the config '
                f'says {model.num_frames}, give the config it was exported with'
            )
        return model

    def encode(self, crops: np.ndarray) -> FrameFeatures:
        """See :class:`~stdpose_mm.inference.WindowBackend`."""
        flips = (False, True) if self._description['test_cfg']['flip_test'] else (False,)
        batches = []
        for chunk in equal_slices(len(crops), self._batch_size):
            plain = crops[chunk].transpose(0, 3, 1, 2)
            views = [self._view(plain[..., ::-1] if flip else plain) for flip in flips]
            batches.append(FrameFeatures(tuple(views)))
        return FrameFeatures.concatenate(batches)

    def fuse(
        self, features: FrameFeatures, rows: np.ndarray, given: AuxiliaryLabels | None = None
    ) -> np.ndarray:
        """See :class:`~stdpose_mm.inference.WindowBackend`.

        Raises:
            InputError: If labels are given.
        """
        if given is not None:
            raise InputError(
                f'the network in {self.folder} takes no labels, give the checkpoint to propagate '
                'them'
            )
        if not self.sees_windows:
            keys = torch.from_numpy(np.ascontiguousarray(rows[:, key_place(rows.shape[1])]))
            return self._average([view.features[keys] for view in features.views])
        batches = [
            self._average([self._fused(view, rows[chunk]) for view in features.views])
            for chunk in equal_slices(len(rows), self._batch_size)
        ]
        return np.concatenate(batches)

    def _view(self, crops: np.ndarray) -> FrameView:
        outputs = self._encoder.run(self._outputs, {'crops': np.ascontiguousarray(crops)})
        named = {
            name: torch.from_numpy(output)
            for name, output in zip(self._outputs, outputs, strict=True)
        }
        if 'features' not in named:
            # The encoder of a network of single frames returns their final heatmaps.
            return FrameView(named['frame_heatmaps'])
        return FrameView(named['features'], named.get('frame_heatmaps'), named.get('projections'))

    def _fused(self, view: FrameView, rows: np.ndarray) -> torch.Tensor:
        assert self._fusion is not None
        # A neck need not have all inputs.
        taken = {port.name for port in self._fusion.inputs}
        named = {
            'features': view.features,
            'frame_heatmaps': view.heatmaps,
            'projections': view.projections,
        }
        feed = {
            name: frames.numpy()[rows]
            for name, frames in named.items()
            if name in taken and frames is not None
        }
        (heatmaps,) = self._fusion.run(['heatmaps'], feed)
        return torch.from_numpy(heatmaps)

    def _average(self, heatmaps: Sequence[torch.Tensor]) -> np.ndarray:
        return average_views(
            heatmaps, self._description['metainfo']['flip_indices'], self._description['test_cfg']
        )

    def _session(self, half: str, precision: str, runtime: str) -> OnnxSession:
        # bfloat16 is a setting of the runtime and uses the float32 graphs.
        name = graph_name(half, 'int8' if precision == 'int8' else 'float32')
        path = self.folder / name
        if name not in self._description['files']:
            raise InputError(
                f'{self.folder} holds no network in {precision}, export it with --int8 or choose '
                'float32'
            )
        if not path.is_file():
            raise InputError(f'{path} does not exist, export the network again')
        with open_network(path) as file:
            if file.digest != self._description['files'][name]:
                raise InputError(
                    f'{path} is not the file that {NETWORK_FILE} beside it was written for, export '
                    'the network again'
                )
            return start_session(file, _EXPECTED, runtime, precision)


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
    metainfo = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in window_model.metainfo.items()
    }
    return {
        'format': FORMAT,
        'input_size': list(window_model.input_size),
        'heatmap_size': list(window_model.heatmap_size),
        'crop_padding': window_model.crop_padding,
        'codec': window_model.codec,
        'num_frames': window_model.num_frames,
        'outputs': list(outputs),
        'test_cfg': {
            'flip_test': bool(test_cfg.get('flip_test', False)),
            'flip_mode': test_cfg.get('flip_mode', 'heatmap'),
            'shift_heatmap': bool(test_cfg.get('shift_heatmap', False)),
        },
        'metainfo': metainfo,
        'files': {name: fingerprint(content) for name, content in files.items()},
    }


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / NETWORK_FILE
    if not path.is_file():
        raise InputError(f'{folder} holds no {NETWORK_FILE}, give {_EXPECTED}')
    content = read_json(path)
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise InputError(f'{path} does not describe a {FORMAT}, export the network again')
    return content
