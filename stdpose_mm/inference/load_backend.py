"""Backends from files: a checkpoint, or an exported network."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from mmengine.config import Config

from stdpose_mm.constants import ONNX_RUNTIMES, PRECISIONS
from stdpose_mm.errors import InputError, require_type

from .onnx_window_backend import OnnxWindowBackend
from .window_backend import TorchWindowBackend, WindowBackend
from .window_model import WindowModel


def load_backend(
    config: str | Path | Config,
    weights: str | Path,
    device: str = 'cpu',
    precision: str = 'float32',
    batch_size: int = 8,
    runtime: str | None = None,
) -> tuple[WindowModel, WindowBackend]:
    """Load a window model and the backend that runs its network.

    Args:
        config: Config file or loaded config.
        weights: A checkpoint, run by PyTorch; or a folder that ``tools/export_onnx.py`` wrote, run
            on the CPU.
        device: Where PyTorch runs.
        precision: 'float32'; 'bfloat16' for a checkpoint, or a folder in OpenVINO; 'int8' for a
            folder in onnxruntime.
        batch_size: Crops, and windows, in one pass of the network.
        runtime: What runs a folder, one of ``ONNX_RUNTIMES``; by default onnxruntime.

    Raises:
        InputError: If an argument is not as described, a file is missing or cannot be used, or it
            does not run in that precision.
    """
    require_type('weights', weights, (str, PathLike), 'a path')
    if runtime is not None and runtime not in tuple(ONNX_RUNTIMES):
        raise InputError(
            f'exported networks are run by {" and ".join(ONNX_RUNTIMES)}, got the runtime '
            f'{runtime!r}, choose one of them'
        )
    if Path(weights).is_dir():
        runtime = runtime or next(iter(ONNX_RUNTIMES))
        _require_precision(precision, ONNX_RUNTIMES[runtime], f'an exported network in {runtime}')
        backend = OnnxWindowBackend(weights, precision, batch_size, runtime)
        return backend.window_model(config), backend
    if runtime is not None:
        raise InputError(
            f'{runtime} runs exported networks but {weights} is no folder, give a folder written '
            'by `stdpose export` or leave the runtime out'
        )
    _require_precision(precision, PRECISIONS, 'a checkpoint')
    model = WindowModel.from_config(config, weights, device, precision=precision)
    model.pack()
    return model, TorchWindowBackend(model, batch_size)


def _require_precision(precision: str, known: Sequence[str], what: str) -> None:
    if precision not in known:
        raise InputError(
            f'{what} runs in the precisions {" and ".join(known)}, got {precision!r}, choose one '
            'of them'
        )
