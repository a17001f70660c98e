"""Networks in ONNX files, run by onnxruntime on the CPU."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import torch

from stdpose_mm.errors import one_line

from .errors import InputError


def start_session(path: Path, content: bytes, expected: str) -> Any:
    """A session of onnxruntime with as many threads as PyTorch has: the user limits both at once.

    Args:
        path: Where the network came from, to name in sentences.
        content: The file.
        expected: What to give instead of a file that cannot be run.

    Raises:
        InputError: If onnxruntime is not installed or cannot run the network.
    """
    try:
        runtime = importlib.import_module('onnxruntime')
    except ModuleNotFoundError as error:
        if error.name != 'onnxruntime':
            raise
        raise InputError(
            f'{path} needs onnxruntime, which is not installed: install it with '
            '`pip install onnxruntime`'
        ) from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that wait in a loop slow down decoding and cropping, which run meanwhile.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    # Warnings are about nodes that the user did not write.
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(content, options, providers=['CPUExecutionProvider'])
    except Exception as error:
        # onnxruntime has no base class for its errors.
        raise InputError(
            f'{path} is no network that onnxruntime can run ({one_line(error)}), give {expected}'
        ) from error
