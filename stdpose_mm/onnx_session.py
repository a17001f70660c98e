"""Networks in ONNX files, run on the CPU by onnxruntime or OpenVINO."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from .choices import ONNX_RUNTIMES
from .errors import InputError, one_line, require_packages


class GraphInput(NamedTuple):
    """Describe an input of a network.

    Attributes:
        name: Its name.
        shape: Its size along each axis, ``None`` where any will do.
    """

    name: str
    shape: tuple[int | None, ...]


class OnnxSession(Protocol):
    """Run a network, by whatever runtime.

    Attributes:
        inputs: Its inputs.
        outputs: Names of its outputs.
    """

    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Compute outputs from all inputs, by name; several threads may do so at once."""

    def read_metadata(self, name: str) -> str:
        """Return an entry of the file's metadata.

        Raises:
            LookupError: If there is no such entry.
        """


def start_session(
    path: Path,
    content: bytes,
    expected: str,
    runtime: str = 'onnxruntime',
    precision: str = 'float32',
) -> OnnxSession:
    """Make a network ready to run, with no more threads than the user allows all libraries.

    Args:
        path: Path of the network, for messages.
        content: The file.
        expected: Input to ask for in the error if the file cannot be run.
        runtime: One of ``ONNX_RUNTIMES``.
        precision: A precision of the runtime. A network in 8 bits is marked so in its file; 'int8'
            computes the rest of the network in float32.

    Raises:
        InputError: If the runtime is not installed or cannot run the network, or the processor
            does not have the precision.
        ValueError: If the runtime does not have the precision.
    """
    if precision not in ONNX_RUNTIMES[runtime]:
        raise ValueError(
            f'precision of {runtime} must be one of {ONNX_RUNTIMES[runtime]}, got {precision!r}'
        )
    if runtime == 'openvino':
        return _OpenvinoSession(path, content, expected, precision)
    return _OnnxruntimeSession(path, content, expected)


class _OnnxruntimeSession:
    def __init__(self, path: Path, content: bytes, expected: str) -> None:
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
            self._session = runtime.InferenceSession(
                content, options, providers=['CPUExecutionProvider']
            )
        except Exception as error:
            # onnxruntime has no base class for its errors.
            raise InputError(
                f'{path} is no network that onnxruntime can run ({one_line(error)}), give '
                f'{expected}'
            ) from error
        # Free axes have names.
        self.inputs = tuple(
            GraphInput(
                node.name, tuple(size if isinstance(size, int) else None for size in node.shape)
            )
            for node in self._session.get_inputs()
        )
        self.outputs = tuple(node.name for node in self._session.get_outputs())

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return self._session.run(list(outputs), dict(inputs))

    def read_metadata(self, name: str) -> str:
        return self._session.get_modelmeta().custom_metadata_map[name]


class _OpenvinoSession:
    def __init__(self, path: Path, content: bytes, expected: str, precision: str) -> None:
        core = _openvino_core()
        if precision == 'bfloat16' and not _has_bfloat16(core):
            raise InputError(
                'this processor does not compute in bfloat16, which OpenVINO was asked for, choose '
                'float32'
            )
        settings: dict[str, Any] = {
            # By default, OpenVINO computes in bfloat16 wherever the processor can.
            'INFERENCE_PRECISION_HINT': {'float32': 'f32', 'bfloat16': 'bf16'}[precision],
            'PERFORMANCE_HINT': 'LATENCY',
            # Else processes that share the videos of a command may be bound to the same cores.
            'ENABLE_CPU_PINNING': False,
        }
        if threads := thread_limit():
            settings['INFERENCE_NUM_THREADS'] = threads
        try:
            self._model = core.read_model(content)
            self._compiled = core.compile_model(self._model, 'CPU', settings)
        except RuntimeError as error:
            raise InputError(
                f'{path} is no network that OpenVINO can run ({one_line(error)}), give {expected}'
            ) from error
        self.inputs = tuple(
            GraphInput(
                port.any_name,
                tuple(axis.get_length() if axis.is_static else None for axis in port.partial_shape),
            )
            for port in self._model.inputs
        )
        self.outputs = tuple(port.any_name for port in self._model.outputs)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        # Threads that share a request get each other's results; a new request costs almost nothing.
        found = self._compiled.create_infer_request().infer(dict(inputs))
        return [found[name] for name in outputs]

    def read_metadata(self, name: str) -> str:
        place = ['framework', name]
        if not self._model.has_rt_info(place):
            raise KeyError(name)
        return str(self._model.get_rt_info(place).value)


def available_precisions(runtime: str) -> tuple[str, ...]:
    """List the precisions of a runtime on this processor; empty if it is not installed."""
    if importlib.util.find_spec(runtime) is None:
        return ()
    if runtime == 'openvino' and not _has_bfloat16(_openvino_core()):
        return tuple(name for name in ONNX_RUNTIMES[runtime] if name != 'bfloat16')
    return ONNX_RUNTIMES[runtime]


def _has_bfloat16(core: Any) -> bool:
    return 'BF16' in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES')


def _openvino_core() -> Any:
    """Return the core of OpenVINO.

    Raises:
        InputError: If OpenVINO is not installed.
    """
    return _make_once(_import_openvino().Core)


@cache
def _make_once(core: Callable[[], Any]) -> Any:
    """Make a core that lives as long as the process, and with it OpenVINO's CPU plugin.

    The plugin allocates memory for signal handlers in the thread that loads it, and frees the
    memory when it is unloaded with its last network, in any thread: the next signal that Python
    handles would then kill the process.
    """
    return core()


def _import_openvino() -> Any:
    """Import OpenVINO without openvino-telemetry, which reports every import over the network.

    OpenVINO does without that package where it cannot be imported. Where a program has imported
    OpenVINO before, nothing changes.

    Raises:
        InputError: If OpenVINO is not installed.
    """
    require_packages('runtime openvino', 'openvino')
    name = 'openvino_telemetry'
    before = {name: sys.modules[name]} if name in sys.modules else {}
    # Python treats None as a package that cannot be found.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        return importlib.import_module('openvino')
    finally:
        del sys.modules[name]
        sys.modules.update(before)


def thread_limit() -> int:
    """Find how many threads the user allows; 0 leaves it to the runtime.

    It is PyTorch's number where a program uses PyTorch, which may have changed it, else
    ``OMP_NUM_THREADS``, which neither runtime reads itself.
    """
    torch = sys.modules.get('torch')
    if torch is not None:
        return torch.get_num_threads()
    limit = os.environ.get('OMP_NUM_THREADS', '').split(',')[0]
    return int(limit) if limit.isdecimal() else 0
