"""An ONNX graph in the making: values are named by strings, constants are numpy arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, helper, numpy_helper

OPSET = 17
#: The oldest format that has this opset.
_IR_VERSION = 8
_TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}

#: Name of a value of a graph. Sounds and texts have the shape (1, channels, 1, length), because ONNX Runtime's blocked
#: layout, in which it convolves fastest, exists for four dimensions only.
Value = str


class Graph:
    """The nodes of one graph, in the order of their calculation."""

    def __init__(self, name: str) -> None:
        """Start an empty graph of that name."""
        self._name = name
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: dict[Value, Any] = {}
        self._shared: dict[tuple[str, tuple[int, ...], bytes], Value] = {}

    def input(self, name: str, shape: Sequence[int | str], dtype: type = np.float32) -> Value:
        """Declare an input; a dimension is a size, or the name of one that varies."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[np.dtype(dtype)], shape))
        return name

    def output(self, name: str, value: Value, shape: Sequence[int | str]) -> None:
        """Declare `value` as the output `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def weight(self, array: npt.NDArray[Any]) -> Value:
        """Add an array of float32."""
        return self._constant(np.ascontiguousarray(array, dtype=np.float32))

    def ones(self, *shape: int) -> Value:
        """Add an array of ones; equal ones are shared, so that ONNX Runtime finds equal nodes."""
        return self._share(np.ones(shape, dtype=np.float32))

    def number(self, value: float) -> Value:
        """Add one number of float32; equal ones are shared."""
        return self._share(np.array(value, dtype=np.float32))

    def integers(self, *values: int) -> Value:
        """Add a vector of int64; equal ones are shared."""
        return self._share(np.array(values, dtype=np.int64))

    def op(self, kind: str, *inputs: Value, **attributes: Any) -> Value:
        """Add a node of one output, and return it."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, count: int, *inputs: Value, **attributes: Any) -> list[Value]:
        """Add a node of `count` outputs, and return them."""
        outputs = [f"{kind}_{len(self._nodes)}_{number}" for number in range(count)]
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))
        return outputs

    def split(self, x: Value, sizes: Sequence[int], axis: int) -> list[Value]:
        """Cut `x` along `axis` into parts of the given sizes."""
        return self.ops("Split", len(sizes), x, self.integers(*sizes), axis=axis)

    def cut(self, x: Value, start: Value, end: Value, axis: int) -> Value:
        """Return the range [start, end) of `x`, whose bounds are vectors of one element."""
        return self.op("Slice", x, start, end, self.integers(axis))

    def reshape(self, x: Value, *shape: int | Value) -> Value:
        """Return `x` in another shape, of sizes and of vectors of one element."""
        if all(isinstance(size, int) for size in shape):
            return self.op("Reshape", x, self.integers(*(size for size in shape if isinstance(size, int))))
        return self.op("Reshape", x, self.vector(*shape))

    def vector(self, *parts: int | Value) -> Value:
        """Return a vector of int64 of integers and of vectors of one element."""
        return self.op("Concat", *(self.integers(part) if isinstance(part, int) else part for part in parts), axis=0)

    def transpose(self, x: Value, *axes: int) -> Value:
        """Return `x` with its axes in another order."""
        return self.op("Transpose", x, perm=list(axes))

    def serialized(self) -> bytes:
        """Return the model as the content of an ONNX file."""
        return bytes(self._model().SerializeToString())

    def _model(self) -> ModelProto:
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, list(self._constants.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION)

    def _share(self, array: npt.NDArray[Any]) -> Value:
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._shared:
            self._shared[key] = self._constant(array)
        return self._shared[key]

    def _constant(self, array: npt.NDArray[Any]) -> Value:
        name = f"constant_{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(array, name)
        return name
