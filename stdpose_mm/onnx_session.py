"""Networks in ONNX files, run on the CPU by onnxruntime or OpenVINO."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .bfloat16 import bfloat16_is_slower, measure_bfloat16
from .errors import PACKAGES, InputError, one_line, require_packages
from .io.fingerprint import stream_fingerprint

_ELEMENT_TYPES = {
    'float': 'float32',
    'double': 'float64',
    'boolean': 'bool',
    'bf16': 'bfloat16',
    **{f'f{bits}': f'float{bits}' for bits in (16, 32, 64)},
    **{f'i{bits}': f'int{bits}' for bits in (8, 16, 32, 64)},
    **{f'u{bits}': f'uint{bits}' for bits in (8, 16, 32, 64)},
}
"""Name of a type in onnxruntime or OpenVINO -> its name in NumPy, where they differ."""


class GraphInput(NamedTuple):
    """An input of a network.

    Attributes:
        name: Its name.
        shape: Its size along each axis, ``None`` where any size is accepted.
        dtype: NumPy's name of its type, such as 'float32'.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class OnnxSession:
    """A network that is ready to run, with any runtime.

    Attributes:
        file_digest: Fingerprint of its file.
        inputs: Its inputs.
        outputs: Names of its outputs.
        metadata: Further entries of its file.
    """

    # Only compared fields enter fingerprints: the file's content, but not the runtime's objects.
    file_digest: str
    _path: Path = field(compare=False)
    _expected: str = field(compare=False)
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str]
    _compute: Callable[[list[str], dict[str, np.ndarray]], list[np.ndarray]] = field(compare=False)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Compute outputs from all inputs, by name; several threads may call this at once.

        Raises:
            InputError: If the network cannot be run on these inputs.
        """
        try:
            return self._compute(list(outputs), dict(inputs))
        except Exception as error:
            # onnxruntime has no base class for its errors.
            raise InputError(
                f'{self._path} cannot be run ({one_line(error)}), give {self._expected}'
            ) from error


def start_session(
    path: Path,
    expected: str,
    runtime: str = 'onnxruntime',
    precision: str = 'float32',
    threads: int = 0,
) -> OnnxSession:
    """Load a network and prepare it to run.

    Args:
        path: Its file.
        expected: What the error asks the user for if the file cannot be run.
        runtime: One of ``ONNX_RUNTIMES``.
        precision: A precision of the runtime. The file of an 8-bit network is marked as such;
            'int8' computes the rest of the network in float32.
        threads: Threads of one run, for networks that run several times at once; by default as many
            as the user allows for all libraries.

    Raises:
        InputError: If the runtime is not installed or cannot run the network, the file cannot be
            read or changes meanwhile, or the processor does not support the precision.
    """
    try:
        with path.open('rb') as stream:
            version = _version(stream)
            digest = stream_fingerprint(stream)
            # From bytes, a runtime would hold two more copies of the weights while it starts. By
            # the descriptor, it reads the file that was fingerprinted, not one that has replaced
            # it, and finds no weights in other files, which were not fingerprinted.
            descriptor = f'/proc/self/fd/{stream.fileno()}'
            source: str | bytes = descriptor
            if not os.path.exists(descriptor):
                stream.seek(0)
                source = stream.read()
            start = _start_openvino if runtime == 'openvino' else _start_onnxruntime
            try:
                parts: Any = start(source, precision, threads or thread_limit())
            except Exception as error:
                if isinstance(error, InputError):
                    raise
                reason = one_line(error).replace(descriptor, str(path))
                name = PACKAGES.get(runtime, (runtime,))[0]
                raise InputError(
                    f'{path} is not a network that {name} can run ({reason}), give {expected}'
                ) from error
            if _version(stream) != version:
                raise InputError(f'{path} was changed while it was read, try again')
    except OSError as error:
        raise InputError(f'{path} cannot be read ({one_line(error)}), give {expected}') from error
    return OnnxSession(digest, path, expected, *parts)


def _version(stream: BinaryIO) -> tuple[int, ...]:
    stat = os.fstat(stream.fileno())
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _start_onnxruntime(source: str | bytes, precision: str, threads: int) -> tuple[Any, ...]:
    """Start onnxruntime; return its fields of an :class:`OnnxSession`."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin while they wait slow down decoding and cropping, which run meanwhile.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    # Warnings concern nodes that the user did not write, and errors are also raised.
    options.log_severity_level = 4
    session = runtime.InferenceSession(source, options, providers=['CPUExecutionProvider'])

    def sizes(port: Any) -> tuple[int | None, ...]:
        # Free axes have names.
        return tuple(size if isinstance(size, int) else None for size in port.shape)

    return (
        tuple(
            GraphInput(port.name, sizes(port), _element_type(port.type[len('tensor(') : -1]))
            for port in session.get_inputs()
        ),
        tuple(port.name for port in session.get_outputs()),
        session.get_modelmeta().custom_metadata_map,
        session.run,
    )


def _start_openvino(source: str | bytes, precision: str, threads: int) -> tuple[Any, ...]:
    """Start OpenVINO; return its fields of an :class:`OnnxSession`."""
    core = _openvino_core()
    if precision == 'bfloat16' and not is_openvino_bfloat16_faster():
        raise bfloat16_is_slower('OpenVINO')
    settings: dict[str, Any] = {
        # By default, OpenVINO computes in bfloat16 wherever the processor can.
        'INFERENCE_PRECISION_HINT': {'float32': 'f32', 'bfloat16': 'bf16'}[precision],
        'PERFORMANCE_HINT': 'LATENCY',
        # Otherwise processes that share the videos of a command may be bound to the same cores.
        'ENABLE_CPU_PINNING': False,
    }
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    model = core.read_model(source)
    compiled = core.compile_model(model, 'CPU', settings)

    def sizes(port: Any) -> tuple[int | None, ...]:
        return tuple(axis.get_length() if axis.is_static else None for axis in port.partial_shape)

    def compute(outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        # Threads that share a request get each other's results; a new request is almost free.
        results = compiled.create_infer_request().infer(inputs)
        return [results[name] for name in outputs]

    metadata = model.get_rt_info('framework').value if model.has_rt_info('framework') else {}
    return (
        # A compiled model may have other names for its outputs.
        tuple(
            GraphInput(port.any_name, sizes(port), _element_type(port.element_type.get_type_name()))
            for port in model.inputs
        ),
        tuple(port.any_name for port in model.outputs),
        {name: str(value) for name, value in metadata.items()},
        compute,
    )


def _element_type(name: str) -> str:
    """Return NumPy's name for a type of onnxruntime (``float``) or OpenVINO (``f32``)."""
    return _ELEMENT_TYPES.get(name, name)


@cache
def is_openvino_bfloat16_faster() -> bool:
    """Measure whether OpenVINO, which is installed, computes faster in bfloat16 than in float32.

    Like PyTorch (:func:`~stdpose_mm.bfloat16.is_bfloat16_faster`), it also lists bfloat16 among the
    capabilities of processors on which it is only emulated.
    """
    core = _openvino_core()
    if 'BF16' not in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES'):
        return False
    operators = importlib.import_module('openvino.opset13')
    pictures = operators.parameter([1, 64, 32, 32], np.float32)
    weights = operators.constant(np.ones((64, 64, 3, 3), np.float32))
    maps = operators.convolution(pictures, weights, *([[1, 1]] * 4))
    model = importlib.import_module('openvino').Model([maps], [pictures])
    requests = {}
    for in_bfloat16, hint in ((False, 'f32'), (True, 'bf16')):
        settings = {'INFERENCE_PRECISION_HINT': hint, 'INFERENCE_NUM_THREADS': 1}
        try:
            compiled = core.compile_model(model, 'CPU', settings)
        except RuntimeError:
            # What is listed may still be missing.
            return False
        requests[in_bfloat16] = compiled.create_infer_request()
    zeros = np.zeros((1, 64, 32, 32), np.float32)
    return measure_bfloat16(lambda in_bfloat16: requests[in_bfloat16].infer([zeros]))


@cache
def _openvino_core() -> Any:
    """Start OpenVINO's core, which then keeps its CPU plugin loaded until the process ends.

    The plugin allocates memory for signal handlers in the thread that loads it. It would free the
    memory when it is unloaded with its last network, in any thread, and the next signal that Python
    handles would kill the process.

    OpenVINO is imported without openvino-telemetry, which reports every import over the network;
    OpenVINO also works if that package cannot be imported.

    Raises:
        InputError: If OpenVINO is not installed.
    """
    require_packages('runtime openvino', 'openvino')
    name = 'openvino_telemetry'
    before = {name: sys.modules[name]} if name in sys.modules else {}
    # Python treats a module set to None as one that cannot be found.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        return importlib.import_module('openvino').Core()
    finally:
        del sys.modules[name]
        sys.modules.update(before)


def thread_limit() -> int:
    """Return how many threads the user allows; 0 leaves the choice to the runtime.

    This is PyTorch's number if the program uses PyTorch, since it may have been changed there, else
    ``OMP_NUM_THREADS``, which neither runtime reads itself.
    """
    torch = sys.modules.get('torch')
    if torch is not None:
        return torch.get_num_threads()
    limit = os.environ.get('OMP_NUM_THREADS', '').split(',')[0]
    return int(limit) if limit.isdecimal() else 0
