from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest

from stdpose_mm import onnx_session
from stdpose_mm.constants import ONNX_RUNTIMES
from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.onnx_session import is_openvino_bfloat16_faster, start_session
from support.paths import ROOT

FUSER = ROOT / 'stdpose_mm/labelling/propagation/auto/weights/gap_fuser.onnx'
RECORD = 'stdpose_mm.fuser'

runtimes = pytest.mark.parametrize('runtime', ONNX_RUNTIMES)


def start(runtime: str, precision: str = 'float32', path: Path = FUSER):
    return start_session(path, 'a network', runtime, precision)


def inputs_of(session, frames: int = 4, joints: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    free = {1: frames, 2: joints}
    shapes = {
        node.name: [free[axis] if size is None else size for axis, size in enumerate(node.shape)]
        for node in session.inputs
        if node.name not in ('known', 'present')
    }
    values = {name: random.uniform(0.1, 1, shape) for name, shape in shapes.items()}
    return {
        **{name: value.astype(np.float32) for name, value in values.items()},
        'known': np.ones((1, joints), bool),
        'present': np.ones((1, frames), bool),
    }


@runtimes
def test_a_network_says_what_it_takes_and_gives(runtime):
    session = start(runtime)
    inputs = {node.name: node for node in session.inputs}
    assert inputs['base_weights'].shape == (1, None, None, 3)
    assert inputs['base_weights'].dtype == 'float32'
    assert inputs['known'].shape == (1, None)
    assert inputs['known'].dtype == 'bool'
    assert session.outputs == ('offsets', 'log_scale')


@runtimes
@pytest.mark.parametrize('name', ['float16', 'float32', 'float64', 'uint8', 'int64', 'bfloat16'])
def test_a_network_says_the_type_of_its_input(runtime, name, tmp_path):
    path = tmp_path / 'net.onnx'
    onnx.save(make_network('Identity', name), path)
    assert start(runtime, path=path).inputs[0].dtype == name


def test_an_input_without_a_shape_in_the_file_has_no_sizes(tmp_path):
    """OpenVINO runs no such file."""
    onnx.save(make_network('Identity', shape=None), tmp_path / 'net.onnx')
    session = start('onnxruntime', path=tmp_path / 'net.onnx')
    assert session.inputs[0].shape == ()


@runtimes
def test_metadata_of_the_file_are_read(runtime):
    session = start(runtime)
    record = json.loads(session.metadata[RECORD])
    assert record['trained_on'].startswith('generated clips')
    with pytest.raises(LookupError):
        session.metadata['nothing']


def test_runtimes_agree_and_outputs_come_in_the_order_that_is_asked_for():
    sessions = [start(runtime) for runtime in ONNX_RUNTIMES]
    inputs = inputs_of(sessions[0])
    (offsets, scale), (other_scale, other_offsets) = (
        session.run(names, inputs)
        for session, names in zip(
            sessions, (['offsets', 'log_scale'], ['log_scale', 'offsets']), strict=True
        )
    )
    assert offsets.shape == (1, 4, 3, 2)
    assert np.abs(offsets).max() > 0.01
    np.testing.assert_allclose(other_offsets, offsets, atol=1e-4)
    np.testing.assert_allclose(other_scale, scale, atol=1e-4)


@runtimes
def test_several_threads_may_run_a_network_at_once(runtime):
    session = start(runtime)
    plain = inputs_of(session, frames=16)
    inputs = [{**plain, 'vectors': plain['vectors'] * part} for part in range(8)]
    expected = [session.run(['offsets'], own)[0] for own in inputs]
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda own: session.run(['offsets'], own)[0], inputs * 3))
    np.testing.assert_allclose(found, expected * 3, atol=1e-5)


def test_a_runtime_that_is_not_installed_is_one_sentence(monkeypatch):
    onnx_session._openvino_core.cache_clear()
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(InputError, match=r'needs OpenVINO, .*: run `pip install .*`$'):
        start('openvino')


@pytest.mark.parametrize(
    ('runtime', 'name'), [('onnxruntime', 'onnxruntime'), ('openvino', 'OpenVINO')]
)
def test_a_file_that_is_no_network_is_one_sentence(runtime, name, tmp_path):
    path = tmp_path / 'net.onnx'
    path.write_bytes(b'no network')
    with pytest.raises(
        InputError, match=rf'net\.onnx is not a network that {name} can run'
    ) as caught:
        start(runtime, path=path)
    assert '\n' not in str(caught.value)
    assert '/proc' not in str(caught.value)
    assert str(caught.value).endswith('give a network')


def write_product(path: Path, factor: float, weights: str | None = None) -> None:
    """Write a network that multiplies by a factor, in the same file or in one beside it."""
    onnx.save(
        make_network('MatMul', w=np.full((8, 8), factor, np.float32)),
        path,
        save_as_external_data=weights is not None,
        location=weights,
        size_threshold=0,
    )


def make_network(
    layer: str,
    dtype: str = 'float32',
    shape: tuple[int | str, ...] | None = ('n', 8),
    **constants: np.ndarray,
) -> onnx.ModelProto:
    """Make a network of one layer from x to y, both of the given type and shape."""
    name = {'float32': 'FLOAT', 'float64': 'DOUBLE'}.get(dtype, dtype.upper())
    kind = onnx.TensorProto.DataType.Value(name)
    ports = [onnx.helper.make_tensor_value_info(name, kind, shape) for name in 'xy']
    node = onnx.helper.make_node(layer, ['x', *constants], ['y'])
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = onnx.helper.make_graph([node], 'network', ports[:1], ports[1:], tensors)
    opsets = [onnx.helper.make_opsetid('', 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def product(session) -> float:
    (found,) = session.run(['y'], {'x': np.ones((1, 8), np.float32)})
    return float(found[0, 0])


def test_a_network_that_fails_on_its_inputs_is_one_sentence(tmp_path, capfd):
    """The runtime prints nothing besides."""
    path = tmp_path / 'net.onnx'
    # It makes two rows of 8, whatever it is given.
    onnx.save(make_network('Reshape', sizes=np.array([2, 8])), path)
    session = start('onnxruntime', path=path)
    with pytest.raises(
        InputError, match=r'net.onnx cannot be run \(.+\), give a network$'
    ) as caught:
        session.run(['y'], {'x': np.ones((3, 8), np.float32)})
    assert '\n' not in str(caught.value)
    assert capfd.readouterr().err == ''


@runtimes
def test_a_session_tells_the_fingerprint_of_the_content(runtime, tmp_path):
    path = tmp_path / 'net.onnx'
    write_product(path, 1)
    session = start(runtime, path=path)
    assert session.file_digest == fingerprint(path.read_bytes())
    assert product(session) == 8


@runtimes
def test_a_network_stays_when_its_file_is_changed_afterwards(runtime, tmp_path):
    path = tmp_path / 'net.onnx'
    write_product(path, 1)
    session = start(runtime, path=path)
    path.write_bytes(b'')
    assert product(session) == 8


@runtimes
@pytest.mark.parametrize('by_name', [True, False])
@pytest.mark.parametrize('replaced', [True, False])
def test_a_file_that_changes_after_its_fingerprint_is_refused(
    runtime, by_name, replaced, tmp_path, monkeypatch
):
    path, other = tmp_path / 'net.onnx', tmp_path / 'other.onnx'
    write_product(path, 1)
    write_product(other, 2)
    if not by_name:
        without_descriptor_names(monkeypatch)
    digest = onnx_session.stream_fingerprint

    def digest_and_change(stream):
        found = digest(stream)
        if replaced:
            other.replace(path)
        else:
            path.write_bytes(other.read_bytes())
            # The clock of a file system is coarse.
            os.utime(path, ns=(0, 0))
        return found

    monkeypatch.setattr(onnx_session, 'stream_fingerprint', digest_and_change)
    with pytest.raises(InputError, match=r'net\.onnx was changed while it was read, try again'):
        start(runtime, path=path)


@pytest.mark.skipif(not Path('/proc/self/fd').exists(), reason='descriptors have no names here')
@runtimes
def test_weights_in_another_file_are_refused(runtime, tmp_path, monkeypatch):
    """Their content would be part of no fingerprint."""
    write_product(tmp_path / 'net.onnx', 1, 'net.weights')
    assert (tmp_path / 'net.weights').is_file()
    for place in (ROOT, tmp_path):
        monkeypatch.chdir(place)
        with pytest.raises(InputError, match='is not a network that'):
            start(runtime, path=tmp_path / 'net.onnx')


@pytest.mark.parametrize('has_descriptors', [True, False])
@pytest.mark.parametrize('location', ['../outside.bin', '{folder}/outside.bin'])
@runtimes
def test_weights_outside_of_the_folder_are_refused(
    runtime, tmp_path, monkeypatch, location, has_descriptors
):
    (tmp_path / 'in').mkdir()
    path = tmp_path / 'in' / 'net.onnx'
    write_product(path, 1, 'net.weights')
    (tmp_path / 'in' / 'net.weights').rename(tmp_path / 'outside.bin')
    network = onnx.load(path, load_external_data=False)
    (place,) = [e for e in network.graph.initializer[0].external_data if e.key == 'location']
    place.value = location.format(folder=tmp_path)
    path.write_bytes(network.SerializeToString())
    if not has_descriptors:
        without_descriptor_names(monkeypatch)
    monkeypatch.chdir(tmp_path / 'in')
    with pytest.raises(InputError, match='is not a network that'):
        start(runtime, path=path)


def without_descriptor_names(monkeypatch: pytest.MonkeyPatch) -> None:
    exists: Callable[[str], bool] = os.path.exists
    monkeypatch.setattr(
        os.path, 'exists', lambda path: '/proc/self/fd' not in str(path) and exists(path)
    )


def test_sessions_of_equal_content_count_as_equal(tmp_path):
    paths = [tmp_path / name for name in ('first.onnx', 'same.onnx', 'other.onnx')]
    for path, factor in zip(paths, (1, 1, 2), strict=True):
        write_product(path, factor)
    for runtime in ONNX_RUNTIMES:
        first, same, other = (fingerprint(start(runtime, path=path)) for path in paths)
        assert first == same != other


@pytest.fixture
def unmeasured():
    is_openvino_bfloat16_faster.cache_clear()
    yield
    is_openvino_bfloat16_faster.cache_clear()


@pytest.mark.usefixtures('unmeasured')
@pytest.mark.parametrize('listed', [['FP32', 'INT8'], ['FP32', 'BF16']])
def test_bfloat16_needs_a_processor_that_has_it(monkeypatch, listed):
    class Old:
        def get_property(self, device, name):
            return listed

        def compile_model(self, *arguments):
            raise RuntimeError('object is not initialized')

    monkeypatch.setattr(onnx_session, '_openvino_core', Old)
    with pytest.raises(InputError, match=r'^OpenVINO is slower in bfloat16 .* choose float32$'):
        start('openvino', 'bfloat16')


@pytest.mark.usefixtures('unmeasured')
@pytest.mark.parametrize('is_faster', [False, True])
def test_bfloat16_is_for_processors_that_are_faster_in_it(monkeypatch, is_faster):
    def measure(compute):
        compute(False)
        compute(True)
        return is_faster

    core, compile_model = onnx_session._openvino_core(), openvino.Core.compile_model

    class New:
        def get_property(self, device, name):
            return ['FP32', 'BF16']

        def compile_model(self, model, device, settings):
            # Not every processor can compute in what is asked for.
            return compile_model(core, model, device, {**settings, hint: 'f32'})

    hint = 'INFERENCE_PRECISION_HINT'
    monkeypatch.setattr(onnx_session, '_openvino_core', New)
    monkeypatch.setattr(onnx_session, 'measure_bfloat16', measure)
    assert is_openvino_bfloat16_faster() is is_faster


@pytest.mark.parametrize(('limit', 'wanted', 'told'), [(3, 0, 3), (0, 0, None), (3, 1, 1)])
def test_openvino_is_told_how_many_threads_to_use(limit, wanted, told, monkeypatch):
    settings = {}

    class Core(openvino.Core):
        def compile_model(self, model, device, config):
            settings.update(config)
            return super().compile_model(model, device, config)

    monkeypatch.setattr(onnx_session, '_openvino_core', Core)
    monkeypatch.setattr(onnx_session, 'thread_limit', lambda: limit)
    start_session(FUSER, '', 'openvino', threads=wanted)
    assert settings.get('INFERENCE_NUM_THREADS') == told


DROPPED_ELSEWHERE = f"""
import signal, subprocess, threading
from pathlib import Path
from stdpose_mm.onnx_session import start_session

signal.signal(signal.SIGCHLD, lambda *_: None)
sessions = [start_session(Path({str(FUSER)!r}), '', 'openvino')]
thread = threading.Thread(target=sessions.clear)
thread.start()
thread.join()
subprocess.run(['true'])
"""


@pytest.mark.slow
def test_signals_are_handled_after_another_thread_dropped_the_last_network_of_openvino():
    subprocess.run([sys.executable, '-c', DROPPED_ELSEWHERE], cwd=ROOT, check=True)


REPORT = """
from pathlib import Path

class Telemetry:
    def __init__(self, *_, **__):
        pass

    def send_event(self, *_, **__):
        Path({place!r}).touch()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ('code', 'reports'),
    [
        ('import openvino', True),
        (
            'import sys\n'
            'from pathlib import Path\n'
            'from stdpose_mm.onnx_session import start_session\n'
            f'start_session(Path({str(FUSER)!r}), "", "openvino")\n'
            'assert "openvino_telemetry" not in sys.modules\n'
            'import openvino_telemetry',
            False,
        ),
    ],
)
def test_openvino_reports_nothing(code, reports, tmp_path):
    """The first case says that the package in place of openvino-telemetry would be used."""
    package, place = tmp_path / 'openvino_telemetry', tmp_path / 'reported'
    package.mkdir()
    (package / '__init__.py').write_text(REPORT.format(place=str(place)))
    (package / 'backend').mkdir()
    (package / 'backend' / '__init__.py').touch()
    (package / 'backend' / 'backend_ga4.py').touch()
    env = {**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{tmp_path}'}
    subprocess.run([sys.executable, '-c', code], env=env, check=True)
    assert place.exists() is reports


@pytest.mark.slow
@pytest.mark.parametrize(
    ('code', 'reports'), [('import onnxruntime', True), ('import stdpose_mm, onnxruntime', False)]
)
def test_onnxruntime_reports_nothing(code, reports, tmp_path):
    """The first case says that it would: it keeps a number of the device for its reports."""
    # Nothing else: it does not report from where variables say that a build machine runs it.
    env = {'PYTHONPATH': str(ROOT), 'XDG_CACHE_HOME': str(tmp_path)}
    subprocess.run([sys.executable, '-c', code], env=env, check=True)
    assert bool(list(tmp_path.rglob('deviceid'))) is reports
