"""Backends from files: a checkpoint, or an exported network."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from stdpose_mm.choices import ONNX_PRECISIONS, PRECISIONS
from stdpose_mm.errors import InputError

from .onnx_window_backend import OnnxWindowBackend
from .window_backend import TorchWindowBackend, WindowBackend
from .window_model import WindowModel


def load_backend(
    config: str | Path | Config,
    weights: str | Path,
    device: str = 'cpu',
    precision: str = 'float32',
    batch_size: int = 8,
) -> tuple[WindowModel, WindowBackend]:
    """Load a window model and the backend that runs its network.

    Args:
        config: Config file or loaded config.
        weights: A checkpoint, run by PyTorch; or a folder that ``tools/export_onnx.py`` wrote, run
            by onnxruntime on the CPU.
        device: Where PyTorch runs.
        precision: 'float32'; 'bfloat16' for a checkpoint; 'int8' for a folder.
        batch_size: Crops, and windows, in one pass of the network.

    Raises:
        InputError: If a file is missing or cannot be used, or does not run in that precision.
    """
    exported = Path(weights).is_dir()
    known = ONNX_PRECISIONS if exported else PRECISIONS
    if precision not in known:
        what = 'an exported network' if exported else 'a checkpoint'
        raise InputError(
            f'{what} runs in the precisions {" and ".join(known)}, got {precision!r}, choose one '
            'of them'
        )
    if exported:
        backend = OnnxWindowBackend(weights, precision, batch_size)
        return backend.window_model(config), backend
    model = WindowModel.from_config(config, weights, device, precision=precision)
    model.pack()
    return model, TorchWindowBackend(model, batch_size)
