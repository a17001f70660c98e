"""Networks in ONNX files, run by onnxruntime on the CPU."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from .errors import InputError, one_line


def start_session(path: Path, content: bytes, expected: str) -> Any:
    """Start a session of onnxruntime, with no more threads than the user allows all libraries.

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
    options.intra_op_num_threads = thread_limit()
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


def thread_limit() -> int:
    """Find how many threads the user allows; 0 leaves it to onnxruntime.

    PyTorch's number where a program uses PyTorch, which may have changed it, else
    ``OMP_NUM_THREADS``, which onnxruntime by itself does not look at.
    """
    torch = sys.modules.get('torch')
    if torch is not None:
        return torch.get_num_threads()
    limit = os.environ.get('OMP_NUM_THREADS', '').split(',')[0]
    return int(limit) if limit.isdecimal() else 0
