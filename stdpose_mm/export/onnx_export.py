"""Export of trained models to ONNX, as a whole and as encoder and fusion."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stdpose_mm.errors import InputError, one_line, require_packages
from stdpose_mm.inference.onnx_window_backend import (
    NETWORK_FILE,
    OnnxWindowBackend,
    graph_name,
    network_description,
)
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.inference.window_backend import FrameFeatures
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io import atomic_path, write_json
from stdpose_mm.models.structures import SpatioTemporalRepresentation, key_of
from stdpose_mm.onnx_session import start_session

from . import TOLERANCE
from .graph_tracing import quiet_exporter, trace_graph
from .onnx_layers import prepare_for_export

_TRACED_FRAMES = 2

_KNOWN_TO_WORK = 'give an STDPose or SemanticMotionPose such as those of configs/'


@dataclass(frozen=True)
class OnnxExport:
    """The files of an export.

    Args:
        folder: Folder of all files.
        sizes: Bytes of every graph, by file name.
        differences: Maximum difference from PyTorch's heatmaps, as a share of their maximum, of the
            whole graph ('whole'), of encoder and fusion ('split') and, if requested, of these in 8
            bits ('int8').
    """

    folder: Path
    sizes: Mapping[str, int]
    differences: Mapping[str, float]


def export_onnx(
    window_model: WindowModel, folder: str | Path, int8: bool = False, tolerance: float = TOLERANCE
) -> OnnxExport:
    """Write a model for onnxruntime and compare it with PyTorch.

    All graphs take crops as pictures, BGR uint8, and normalise them; batches may have any size.
    They take no labels, but estimate poses.

    - ``whole.onnx``: ``crops`` [N, T, 3, H, W] (T frames in time order: left, key, right) ->
      ``heatmaps`` [N, K, h, w] of the key frame.
    - ``encoder.onnx``: ``crops`` [M, 3, H, W] -> ``features`` [M, D, h', w'] and, where windows
      need them, ``frame_heatmaps`` [M, K, h, w] and ``projections`` [M, ...].
    - ``fusion.onnx``: these outputs for windows, ``features`` [N, T, D, h', w'], ``frame_heatmaps``
      [N, T, K, h, w] and ``projections`` [N, T, ...] -> ``heatmaps`` [N, K, h, w].
    - With ``int8``, the last two graphs again as ``*_int8.onnx``: weights of linear layers and
      upsampling in 8 bits, activations quantised dynamically.
    - ``network.json``: sizes, joints, and how the mirrored view is averaged.

    A model that sees single frames (no neck, or ``test_cfg.use_frame_head``) has no
    ``fusion.onnx``, and its encoder outputs only ``frame_heatmaps``.

    Args:
        window_model: A float32 model on the CPU, before :meth:`WindowModel.optimize_for_cpu`.
        folder: Folder of the files, created if missing. Graphs of an earlier export are replaced or
            removed.
        int8: Whether to write the graphs in 8 bits, too.
        tolerance: See ``TOLERANCE``. It does not apply to the graphs in 8 bits.

    Returns:
        Folder, sizes and differences.

    Raises:
        InputError: If onnx or onnxruntime is missing, ONNX does not support a layer of the model, a
            file cannot be written, or the result differs by more than ``tolerance``.
    """
    require_packages('the export', 'onnx')
    folder = Path(folder)
    graphs = _graphs(window_model)
    files = [_write(graph, folder, graph_name(graph.name)) for graph in graphs]
    if int8:
        files += [
            _write(graph, folder, graph_name(graph.name, 'int8'), _quantise)
            for graph in _graphs(window_model, int8=True)
            if graph.name != 'whole'
        ]
    encoder = next(graph for graph in graphs if graph.name == 'encoder')
    contents = {path.name: path.read_bytes() for path in files}
    write_json(
        folder / NETWORK_FILE,
        network_description(window_model, encoder.outputs, contents),
        indent=1,
    )
    # Graphs of an earlier export with --int8, or of a model that sees windows.
    halves = graph_name('fusion'), graph_name('fusion', 'int8'), graph_name('encoder', 'int8')
    for name in {*halves} - contents.keys():
        (folder / name).unlink(missing_ok=True)
    try:
        differences = _differences(window_model, folder, int8)
    except Exception as error:
        # onnxruntime has no base class for its errors.
        (folder / NETWORK_FILE).unlink()
        raise InputError(
            f'the graphs in {folder} do not run ({one_line(error)}), {_KNOWN_TO_WORK}'
        ) from error
    # Unlike Python's max, NumPy's propagates NaN.
    worst = np.max([differences['whole'], differences['split']])
    if not worst <= tolerance:
        (folder / NETWORK_FILE).unlink()
        raise InputError(
            f'the graphs in {folder} differ from PyTorch by {worst:.2g} of the largest heatmap '
            f'value, but at most {tolerance:g} is allowed, do not use them'
        )
    sizes = {name: len(content) for name, content in contents.items()}
    return OnnxExport(folder, sizes, differences)


@dataclass(frozen=True)
class _Graph:
    """A module to write as one file, example inputs, and the names of its outputs."""

    name: str
    module: nn.Module
    example: Mapping[str, Tensor]
    outputs: Sequence[str]


def _graphs(window_model: WindowModel, int8: bool = False) -> list[_Graph]:
    model = deepcopy(window_model.model)
    prepare_for_export(model, int8)
    width, height = window_model.input_size
    crops = torch.zeros((_TRACED_FRAMES, 3, height, width), dtype=torch.uint8)
    windows = _windows(crops, model.num_frames)
    if not model.with_neck or model.test_cfg.get('use_frame_head', False):
        single = _SingleFrames(model)
        return [
            _Graph('whole', _Whole(single, None), {'crops': windows}, ['heatmaps']),
            _Graph('encoder', single, {'crops': crops}, ['frame_heatmaps']),
        ]
    encoder = FrameEncoder(model)
    with torch.no_grad():
        frames = encoder.named_outputs(crops)
    outputs = list(frames)
    encoded = {name: _windows(x, model.num_frames) for name, x in frames.items()}
    fusion = _Fusion(model, outputs)
    return [
        _Graph('whole', _Whole(encoder, fusion), {'crops': windows}, ['heatmaps']),
        _Graph('encoder', encoder, {'crops': crops}, outputs),
        _Graph('fusion', fusion, encoded, ['heatmaps']),
    ]


def _windows(frames: Tensor, num_frames: int) -> Tensor:
    """Build windows [M, T, ...] that contain each frame of [M, ...] T times."""
    return frames[:, None].repeat_interleave(num_frames, dim=1)


class _Normalise(nn.Module):
    """Normalisation of crops, BGR uint8 [M, 3, H, W], as in the data preprocessor."""

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessor: Any) -> None:
        super().__init__()
        self.swap: bool = preprocessor._channel_conversion
        normalises = preprocessor._enable_normalize
        self.register_buffer('mean', preprocessor.mean.clone() if normalises else torch.zeros(1))
        self.register_buffer('std', preprocessor.std.clone() if normalises else torch.ones(1))

    def forward(self, crops: Tensor) -> Tensor:
        crops = crops.float()
        return ((crops.flip(1) if self.swap else crops) - self.mean) / self.std


class FrameEncoder(nn.Module):
    """Encoder of crops, BGR uint8 [M, 3, H, W], into the inputs of windows.

    Args:
        model: A window model.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.normalise = model, _Normalise(model.data_preprocessor)

    def named_outputs(self, crops: Tensor) -> dict[str, Tensor]:
        """Compute ``features`` and, where windows need them, ``frame_heatmaps`` and more."""
        features = self.model.encode_frames(self.normalise(crops))
        outputs = {'features': features}
        if self.model.reads_frame_heatmaps:
            outputs['frame_heatmaps'] = self.model.frame_head.forward((features,))
        projections = self.model.project_frames(features)
        return outputs if projections is None else {**outputs, 'projections': projections}

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Return the values of :meth:`named_outputs`."""
        return tuple(self.named_outputs(crops).values())


class _Fusion(nn.Module):
    def __init__(self, model: Any, inputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.inputs = model, tuple(inputs)

    def forward(self, *encoded: Tensor) -> Tensor:
        tensors = dict(zip(self.inputs, encoded, strict=True))
        representation = self.model.fuse(
            tensors['features'],
            tensors.get('frame_heatmaps'),
            projections=tensors.get('projections'),
        )
        return self.model.head.forward(representation)


class _Whole(nn.Module):
    def __init__(self, encoder: nn.Module, fusion: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.fusion = encoder, fusion

    def forward(self, crops: Tensor) -> Tensor:
        if self.fusion is None:
            return self.encoder(key_of(crops))
        encoded = self.encoder(crops.flatten(0, 1))
        return self.fusion(*(x.unflatten(0, (-1, crops.shape[1])) for x in encoded))


class _SingleFrames(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.normalise = model, _Normalise(model.data_preprocessor)

    def forward(self, crops: Tensor) -> Tensor:
        features = self.model.encode_frames(self.normalise(crops))
        if self.model.frame_head is not None:
            return self.model.frame_head.forward((features,))
        return self.model.head.forward(SpatioTemporalRepresentation(features))


def _write(
    graph: _Graph, folder: Path, name: str, change: Callable[[Path, Path], None] | None = None
) -> Path:
    """Write one graph with free batch sizes; ``change`` converts the file before it is kept."""
    with atomic_path(folder / name) as temporary, TemporaryDirectory() as scratch:
        traced = temporary if change is None else Path(scratch, name)
        try:
            trace_graph(graph.module, graph.example, graph.outputs, traced)
        except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
            raise InputError(
                f'this model cannot be exported to ONNX ({one_line(error)}), {_KNOWN_TO_WORK}'
            ) from error
        if change is not None:
            change(traced, temporary)
    return folder / name


def _quantise(source: Path, target: Path) -> None:
    quantization = importlib.import_module('onnxruntime.quantization')
    with quiet_exporter():
        quantization.quantize_dynamic(
            source,
            target,
            op_types_to_quantize=['MatMul'],
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            # Processors without VNNI add two products of 8-bit numbers in 16 bits.
            reduce_range=True,
        )


def _differences(window_model: WindowModel, folder: Path, int8: bool) -> dict[str, float]:
    """Compute the differences of :class:`OnnxExport`."""
    width, height = window_model.input_size
    random = np.random.default_rng(0)
    num_frames = window_model.num_frames
    pictures = torch.from_numpy(random.uniform(0, 255, (3 * num_frames, 3, 8, 6)))
    # Blobs of colour, since a picture of independent pixels is unlike anything the model has seen.
    blobs = F.interpolate(pictures, (height, width), mode='bilinear').byte()
    crops = blobs.permute(0, 2, 3, 1).contiguous().numpy()
    rows = np.arange(3 * num_frames).reshape(3, num_frames)
    reference = TorchWindowBackend(window_model)
    features = reference.encode(crops)
    expected = reference.fuse(features, rows)
    # The whole graph has no mirrored view.
    plain = reference.fuse(FrameFeatures(features.views[:1]), rows)
    differences = {'whole': _difference(_run_whole(folder, blobs, rows), plain)}
    for name, precision in {'split': 'float32', **({'int8': 'int8'} if int8 else {})}.items():
        network = OnnxWindowBackend.from_export(folder, window_model, precision)
        differences[name] = _difference(network.fuse(network.encode(crops), rows), expected)
    return differences


def _difference(maps: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(maps - expected).max() / np.abs(expected).max())


def _run_whole(folder: Path, crops: Tensor, rows: np.ndarray) -> np.ndarray:
    """Compute heatmaps with the whole graph, in a batch of one window and one of the others."""
    session = start_session(folder / graph_name('whole'), 'an exported network')
    windows = crops.numpy()[rows]
    maps = [session.run(['heatmaps'], {'crops': batch})[0] for batch in (windows[:1], windows[1:])]
    return np.concatenate(maps)
