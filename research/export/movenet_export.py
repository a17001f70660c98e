"""Export of Google's MoveNet to an ONNX file that gives heatmaps."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.export.graph_tracing import OPSET
from stdpose_mm.io import atomic_path

from .half_weights import halve_weights

_DTYPES = {'float32': '<f4', 'float16': '<f2', 'int32': '<i4'}

_BEFORE_HEATMAPS = 'kpt_heatmap'
"""Part of the name of the layer before the sigmoid of MoveNet's heatmaps."""


def export_movenet(model: str | Path, path: str | Path) -> tuple[int, int]:
    """Write the part of a single-person MoveNet that computes heatmaps.

    MoveNet itself returns one position for each joint. The file has an input ``crops``
    [N, 3, H, W], RGB from -1 to 1, and an output ``heatmaps`` [N, K, H / 4, W / 4] from 0 to 1; N
    is free. Weights are stored in half precision, as MoveNet's are.

    Args:
        model: ``model.json`` of a TensorFlow.js graph model, beside its weights (Thunder or
            Lightning, https://tfhub.dev/google/movenet).
        path: The file to write.

    Returns:
        (width, height) of the crops in pixels.

    Raises:
        InputError: If ``model`` or its weights cannot be read or are of another network, or the
            file cannot be written.
    """
    model = Path(model)
    try:
        translation = _Translation(json.loads(model.read_text('utf-8')), model.parent)
        network = translation.to_onnx()
    except InputError as error:
        raise InputError(f'{model}: {error}') from error
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise InputError(
            f'{model} cannot be read ({one_line(error)}), give model.json of a MoveNet for '
            'TensorFlow.js, with its weights beside it'
        ) from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(network)
    return translation.size


class _Value(NamedTuple):
    """Name and size of an ONNX value [N, C, height, width]."""

    name: str
    height: int
    width: int


class _Translation:
    """Translator of a TensorFlow.js graph, layer by layer, from the heatmaps back to the crops.

    Args:
        content: The graph's ``model.json``.
        folder: The folder of its weights.

    Raises:
        InputError: If the graph does not take pictures, or its weights have another size.
    """

    def __init__(self, content: dict[str, Any], folder: Path) -> None:
        self._nodes = {node['name']: node for node in content['modelTopology']['node']}
        self._weights = dict(_read_weights(content['weightsManifest'], folder))
        self._layers: list[Any] = []
        self._stored: list[Any] = []
        self._values: dict[str, _Value] = {}
        self._numbers = count()
        self._crops: str | None = None
        self.size = self._find_size()

    def to_onnx(self) -> bytes:
        """Return the ONNX file.

        Raises:
            InputError: If the graph has no heatmaps, or has layers that MoveNet does not have.
        """
        heatmaps = self._translate(self._find_heatmaps())
        helper, floats = onnx.helper, onnx.TensorProto.FLOAT
        self._layers.append(helper.make_node('Identity', [heatmaps.name], ['heatmaps']))
        width, height = self.size
        taken = helper.make_tensor_value_info('crops', floats, ['N', 3, height, width])
        given = helper.make_tensor_value_info(
            'heatmaps', floats, ['N', None, heatmaps.height, heatmaps.width]
        )
        network = helper.make_model(
            helper.make_graph(self._layers, 'movenet', [taken], [given], self._stored),
            opset_imports=[helper.make_opsetid('', OPSET)],
            ir_version=8,
        )
        halve_weights(network)
        try:
            network = onnx.shape_inference.infer_shapes(network, check_type=True, strict_mode=True)
            onnx.checker.check_model(network)
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            raise InputError(f'its layers do not fit together ({one_line(error)})') from error
        return network.SerializeToString()

    def _find_size(self) -> tuple[int, int]:
        """Return (width, height) of the pictures that the graph takes."""
        for node in self._nodes.values():
            if node['op'] == 'Placeholder':
                sides = [int(side['size']) for side in node['attr']['shape']['shape']['dim']]
                if len(sides) == 4 and sides[3] == 3 and min(sides[1:3]) > 0:
                    return sides[2], sides[1]
        raise InputError('it takes no pictures [1, H, W, 3], give a MoveNet for one person')

    def _find_heatmaps(self) -> str:
        """Return the name of the layer that gives the heatmaps."""
        found = [
            name
            for name, node in self._nodes.items()
            if node['op'] == 'Sigmoid' and _BEFORE_HEATMAPS in node['input'][0]
        ]
        if len(found) != 1:
            raise InputError('it has no heatmaps of joints, give a MoveNet for one person')
        return found[0]

    def _translate(self, name: str) -> _Value:
        """Add the layers up to a node; return its value."""
        if name not in self._values:
            node = self._nodes[name]
            inputs = node.get('input', [])
            match node['op']:
                case '_FusedConv2D' | 'FusedDepthwiseConv2dNative' | 'DepthwiseConv2dNative':
                    value = self._add_convolution(node)
                case 'AddV2':
                    value, other = (self._translate(each) for each in inputs)
                    value = self._add('Add', value, other.name)
                case 'Sigmoid':
                    value = self._add('Sigmoid', self._translate(inputs[0]))
                case 'ResizeBilinear':
                    value = self._add_resizing(node)
                case _:
                    value = self._take_crops(name)
            self._values[name] = value
        return self._values[name]

    def _take_crops(self, name: str) -> _Value:
        """Return the input: the only value that layers take but do not compute."""
        if self._crops not in (None, name):
            others = ' and '.join(self._nodes[each]['op'] for each in (self._crops, name))
            raise InputError(
                f'its convolutions take the outputs of {others}, expected only pictures, give a '
                'MoveNet for one person'
            )
        self._crops = name
        width, height = self.size
        return _Value('crops', height, width)

    def _add_convolution(self, node: dict[str, Any]) -> _Value:
        """Add a convolution, its bias and its activation."""
        attributes = node['attr']
        kernel = self._weights[node['input'][1]]  # [height, width, channels in, channels out].
        groups = 1
        if 'Depthwise' in node['op']:
            groups = kernel.shape[2]
            kernel = kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
        strides = [int(stride) for stride in attributes['strides']['list']['i'][1:3]]
        if [int(step) for step in attributes['dilations']['list']['i']] != [1, 1, 1, 1]:
            raise InputError('it has dilated layers, unlike MoveNet, give a MoveNet')
        value = self._translate(node['input'][0])
        sides = [value.height, value.width]
        missing = [0, 0]
        if base64.b64decode(attributes['padding']['s']) == b'SAME':
            missing = [
                max((-(-side // stride) - 1) * stride + reach - side, 0)
                for side, stride, reach in zip(sides, strides, kernel.shape[2:], strict=True)
            ]
        height, width = (
            (side + rows - reach) // stride + 1
            for side, rows, stride, reach in zip(
                sides, missing, strides, kernel.shape[2:], strict=True
            )
        )
        begins = [rows // 2 for rows in missing]
        parameters = [self._store(kernel)]
        fused = _texts(attributes, 'fused_ops')
        if fused[:1] == [b'BiasAdd']:
            del fused[0]
            parameters.append(self._store(self._weights[node['input'][2]].reshape(-1)))
        value = self._add(
            'Conv',
            value,
            *parameters,
            kernel_shape=list(kernel.shape[2:]),
            strides=strides,
            pads=begins + [rows - begin for rows, begin in zip(missing, begins, strict=True)],
            group=groups,
        )._replace(height=height, width=width)
        for activation in fused:
            if activation == b'Relu6':
                value = self._add('Clip', value, self._store(np.array(0)), self._store(np.array(6)))
            elif activation == b'Relu':
                value = self._add('Relu', value)
            else:
                raise InputError(f'it has activations {activation!r}, give a MoveNet')
        return value

    def _add_resizing(self, node: dict[str, Any]) -> _Value:
        """Add bilinear interpolation that aligns the edges of the pictures."""
        if not node['attr']['half_pixel_centers']['b'] or node['attr']['align_corners']['b']:
            raise InputError('it aligns pixels differently from MoveNet, give a MoveNet')
        value = self._translate(node['input'][0])
        height, width = (int(side) for side in self._weights[node['input'][1]])
        scales = np.array([1, 1, height / value.height, width / value.width])
        return self._add(
            'Resize',
            value,
            '',
            self._store(scales),
            mode='linear',
            coordinate_transformation_mode='half_pixel',
        )._replace(height=height, width=width)

    def _add(self, kind: str, value: _Value, *others: str, **attributes: Any) -> _Value:
        """Add a layer that keeps the size; return its value."""
        name = f'{kind.lower()}_{next(self._numbers)}'
        node = onnx.helper.make_node(kind, [value.name, *others], [name], **attributes)
        self._layers.append(node)
        return value._replace(name=name)

    def _store(self, values: np.ndarray) -> str:
        """Store constant values in the file; return their name."""
        name = f'stored_{next(self._numbers)}'
        values = values.astype(np.float32, order='C')
        self._stored.append(onnx.numpy_helper.from_array(values, name))
        return name


def _read_weights(manifest: list[Any], folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and values of a model's weights; floats are in single precision."""
    for group in manifest:
        paths = [Path(name) for name in group['paths']]
        if any(path.name != str(path) for path in paths):
            raise InputError('its weights are in another folder, put them beside it')
        content = b''.join((folder / path).read_bytes() for path in paths)
        start = 0
        for weight in group['weights']:
            kind = weight.get('quantization', weight)['dtype']
            if kind not in _DTYPES:
                raise InputError(f'its weights are {kind}, expected {" or ".join(_DTYPES)}')
            dtype = np.dtype(_DTYPES[kind])
            shape = [int(side) for side in weight['shape']]
            values = np.frombuffer(content, dtype, int(np.prod(shape)), start).reshape(shape)
            start += values.nbytes
            yield weight['name'], values.astype(np.int32 if kind == 'int32' else np.float32)
        if start != len(content):
            raise InputError(
                f'its weights take {start:,} bytes, {" and ".join(map(str, paths))} has '
                f'{len(content):,}, give both files of one model'
            )


def _texts(attributes: dict[str, Any], name: str) -> list[bytes]:
    """Return an attribute's list of texts, or an empty list if there is none."""
    listed = attributes.get(name, {}).get('list', {}).get('s', [])
    return [base64.b64decode(text) for text in listed]
