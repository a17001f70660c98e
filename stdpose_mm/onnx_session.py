"""Networks in ONNX files, run on the CPU by onnxruntime or OpenVINO."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np

from .constants import ONNX_RUNTIMES
from .errors import InputError, one_line, require_packages
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
"""Name of a type in onnxruntime or OpenVINO -> in NumPy, where they differ."""


class GraphInput(NamedTuple):
    """Describe an input of a network.

    Attributes:
        name: Its name.
        shape: Its size along each axis, ``None`` where any will do.
        dtype: Type of its elements, by NumPy's name, such as 'float32'.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class OnnxSession(Protocol):
    """Run a network, by whatever runtime.

    Attributes:
        file_digest: Fingerprint of its file.
        inputs: Its inputs.
        outputs: Names of its outputs.
        output_shapes: Size of each output along each axis, ``None`` where the file does not say it;
            empty where it says nothing of the shape.
    """

    @property
    def file_digest(self) -> str: ...
    @property
    def inputs(self) -> tuple[GraphInput, ...]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    @property
    def output_shapes(self) -> tuple[tuple[int | None, ...], ...]: ...

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Compute outputs from all inputs, by name; several threads may do so at once."""

    def read_metadata(self, name: str) -> str:
        """Return an entry of the file's metadata.

        Raises:
            LookupError: If there is no such entry.
        """


@dataclass(frozen=True)
class NetworkFile:
    """Hold the file of a network open, from its fingerprint to the start of its session.

    Attributes:
        path: Its path.
        digest: Fingerprint of its content.
        stream: The open file.
        version: What changes with its content.
    """

    path: Path
    digest: str
    stream: BinaryIO
    version: tuple[int, ...]

    def source(self) -> str | bytes:
        """Return what a runtime reads: the name of the open file, or its content.

        Given bytes, onnxruntime holds three copies of the weights while it starts and OpenVINO
        four; given a name, one and two. By the descriptor they read the file that was
        fingerprinted, not one that has taken its place, and find no weights in files beside it,
        which were not fingerprinted.
        """
        name = f'/proc/self/fd/{self.stream.fileno()}'
        if os.path.exists(name):
            return name
        self.stream.seek(0)
        return self.stream.read()

    def explain(self, error: Exception) -> str:
        """Return a runtime's error in one line, with the path in place of the descriptor."""
        return one_line(error).replace(f'/proc/self/fd/{self.stream.fileno()}', str(self.path))

    def require_unchanged(self) -> None:
        """Require that the content is still that of the fingerprint.

        Raises:
            InputError: If it may be another: the file was written to, or another one has taken its
                place.
        """
        if _version(self.stream) != self.version:
            raise InputError(f'{self.path} was changed while it was read, try again')


@contextmanager
def open_network(path: Path) -> Iterator[NetworkFile]:
    """Open the file of a network and compute its fingerprint.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open('rb') as stream:
        version = _version(stream)
        yield NetworkFile(path, stream_fingerprint(stream), stream, version)


def _version(stream: BinaryIO) -> tuple[int, ...]:
    stat = os.fstat(stream.fileno())
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def start_session(
    file: NetworkFile,
    expected: str,
    runtime: str = 'onnxruntime',
    precision: str = 'float32',
) -> OnnxSession:
    """Make a network ready to run, with no more threads than the user allows all libraries.

    Args:
        file: The file; it may be closed afterwards.
        expected: Input to ask for in the error if the file cannot be run.
        runtime: One of ``ONNX_RUNTIMES``.
        precision: A precision of the runtime. A network in 8 bits is marked so in its file; 'int8'
            computes the rest of the network in float32.

    Raises:
        InputError: If the runtime is not installed or cannot run the network, the file was changed
            after its fingerprint was taken, or the processor does not have the precision.
        ValueError: If the runtime does not have the precision.
    """
    if precision not in ONNX_RUNTIMES[runtime]:
        raise ValueError(
            f'precision of {runtime} must be one of {ONNX_RUNTIMES[runtime]}, got {precision!r}'
        )
    session: OnnxSession
    if runtime == 'openvino':
        session = _OpenvinoSession.start(file, expected, precision)
    else:
        session = _OnnxruntimeSession.start(file, expected)
    file.require_unchanged()
    return session


def run_given(
    session: OnnxSession,
    outputs: Sequence[str],
    inputs: Mapping[str, np.ndarray],
    name: str | Path,
    expected: str,
) -> list[np.ndarray]:
    """Compute outputs of a network that the user gave, which may fail whatever its file says.

    Args:
        session: The network.
        outputs: Names of outputs.
        inputs: All inputs, by name.
        name: What the user knows the network by; the subject of the error.
        expected: Input to ask for in the error.

    Raises:
        InputError: If it cannot be run on these inputs.
    """
    try:
        return session.run(outputs, inputs)
    except Exception as error:
        # onnxruntime has no base class for its errors.
        raise InputError(f'{name} cannot be run ({one_line(error)}), give {expected}') from error


@dataclass(frozen=True, eq=False)
class _OnnxruntimeSession:
    # A fingerprint takes the fields that compare: the content, not what the runtime made of it.
    file_digest: str
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    _session: Any = field(compare=False)

    @classmethod
    def start(cls, file: NetworkFile, expected: str) -> _OnnxruntimeSession:
        try:
            runtime = importlib.import_module('onnxruntime')
        except ModuleNotFoundError as error:
            if error.name != 'onnxruntime':
                raise
            raise InputError(
                f'{file.path} needs onnxruntime, which is not installed: install it with '
                '`pip install onnxruntime`'
            ) from None
        options = runtime.SessionOptions()
        options.intra_op_num_threads = thread_limit()
        # Threads that wait in a loop slow down decoding and cropping, which run meanwhile.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        # Warnings are about nodes that the user did not write, and errors are raised, too.
        options.log_severity_level = 4
        try:
            session = runtime.InferenceSession(
                file.source(), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:
            # onnxruntime has no base class for its errors.
            raise InputError(
                f'{file.path} is no network that onnxruntime can run ({file.explain(error)}), give '
                f'{expected}'
            ) from error
        inputs = tuple(
            GraphInput(node.name, _sizes(node.shape), _element_type(node.type))
            for node in session.get_inputs()
        )
        outputs = tuple(node.name for node in session.get_outputs())
        output_shapes = tuple(_sizes(node.shape) for node in session.get_outputs())
        return cls(file.digest, inputs, outputs, output_shapes, session)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        return self._session.run(list(outputs), dict(inputs))

    def read_metadata(self, name: str) -> str:
        return self._session.get_modelmeta().custom_metadata_map[name]


def _sizes(shape: Sequence[int | str | None]) -> tuple[int | None, ...]:
    """Return the sizes that onnxruntime gives; free axes have names there."""
    return tuple(size if isinstance(size, int) else None for size in shape)


def _element_type(name: str) -> str:
    """Return NumPy's name of a type: onnxruntime writes ``tensor(float)``, OpenVINO ``f32``."""
    plain = re.sub(r'^tensor\((\w+)\)$', r'\1', name)
    return _ELEMENT_TYPES.get(plain, plain)


@dataclass(frozen=True, eq=False)
class _OpenvinoSession:
    file_digest: str
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    output_shapes: tuple[tuple[int | None, ...], ...]
    _metadata: Mapping[str, str]
    _compiled: Any = field(compare=False)

    @classmethod
    def start(cls, file: NetworkFile, expected: str, precision: str) -> _OpenvinoSession:
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
            model = core.read_model(file.source())
            compiled = core.compile_model(model, 'CPU', settings)
        except RuntimeError as error:
            raise InputError(
                f'{file.path} is no network that OpenVINO can run ({file.explain(error)}), give '
                f'{expected}'
            ) from error
        # A compiled model may call its outputs differently.
        inputs = tuple(
            GraphInput(
                port.any_name,
                _axis_lengths(port.partial_shape),
                _element_type(port.element_type.get_type_name()),
            )
            for port in model.inputs
        )
        outputs = tuple(port.any_name for port in model.outputs)
        output_shapes = tuple(_axis_lengths(port.partial_shape) for port in model.outputs)
        found = model.get_rt_info('framework').value if model.has_rt_info('framework') else {}
        metadata = {name: str(value) for name, value in found.items()}
        return cls(file.digest, inputs, outputs, output_shapes, metadata, compiled)

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        # Threads that share a request get each other's results; a new request costs almost nothing.
        found = self._compiled.create_infer_request().infer(dict(inputs))
        return [found[name] for name in outputs]

    def read_metadata(self, name: str) -> str:
        return self._metadata[name]


def _axis_lengths(shape: Any) -> tuple[int | None, ...]:
    """Return the sizes that OpenVINO gives."""
    return tuple(axis.get_length() if axis.is_static else None for axis in shape)


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
