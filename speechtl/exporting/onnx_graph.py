"""From a function of a model to an ONNX graph whose weights are external, under their paths."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from speechtl.errors import ModelError
from speechtl.exporting.convertible import convert_lstm, convertible
from speechtl.models.acoustic_model import AcousticModel
from speechtl.runtime.session import load_onnxruntime
from speechtl.staging import scratch_folder

# The newest that tf2onnx's operations and ONNX Runtime 1.14 both know.
_OPSET = 17
Compute = Callable[[tf.Tensor, tf.Tensor], Sequence[tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class OnnxGraph:
    """A computation graph without its weights.

    Attributes:
        content: an ONNX model with inputs ``features`` ``(batch, frames, bins)`` and ``lengths`` ``(batch,)``; its
            initialisers are external, so that one set of weights serves several graphs.
        weights: paths of the weights that it takes.
    """

    content: bytes
    weights: tuple[str, ...]


def onnx_graph(model: AcousticModel, compute: Compute, outputs: Sequence[str]) -> OnnxGraph:
    """Convert a function of a model, without dropout and in float32.

    The weights are inputs while it is traced and converted, so that they survive as they are, in TensorFlow's layout.

    Args:
        model: whose weights are meant.
        compute: from features and lengths to the outputs; may use the model.
        outputs: names of what it returns.

    Raises:
        ModelError: tf2onnx is missing, or cannot convert an operation.
    """
    with _quiet():
        try:
            from tf2onnx.tfonnx import process_tf_graph
        except ImportError as error:
            raise ModelError(f"export needs tf2onnx and onnx ({error}); pip install tf2onnx 'onnx<1.19'") from error
        concrete = _trace(model, compute)
        names = ["features", "lengths", *model.variables()]
        tensors = [tensor.name for tensor in concrete.inputs], [tensor.name for tensor in concrete.outputs]
        renamed = dict(zip(tensors[0], names, strict=True)) | dict(zip(tensors[1], outputs, strict=True))
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(concrete.graph.as_graph_def(), name="")
            try:
                converted = process_tf_graph(
                    graph,
                    opset=_OPSET,
                    input_names=tensors[0],
                    output_names=tensors[1],
                    tensors_to_rename=renamed,
                    custom_op_handlers={"PyFunc": (convert_lstm, [])},
                )
                proto = converted.make_model("speechtl")
            except Exception as error:  # tf2onnx's errors have no common class of their own.
                raise _not_convertible(error) from error
    return _with_external_weights(_simplified(proto), set(model.variables()))


def _trace(model: AcousticModel, compute: Compute) -> Any:
    """Return the concrete function of features, lengths and all weights."""
    variables = model.variables()
    signature = [tf.TensorSpec((None, None, model.inputs), tf.float32), tf.TensorSpec((None,), tf.int32)]
    signature += [tf.TensorSpec(variable.shape, variable.dtype) for variable in variables.values()]

    @tf.function(input_signature=signature, autograph=False)
    def function(features: tf.Tensor, lengths: tf.Tensor, *weights: tf.Tensor) -> list[tf.Tensor]:
        with keras.StatelessScope(state_mapping=list(zip(variables.values(), weights, strict=True))):
            return [tf.identity(output) for output in compute(features, lengths)]

    with convertible(model):
        return function.get_concrete_function()


def _simplified(proto: Any) -> Any:
    """Return a graph without what can be computed beforehand or left out, whatever the weights are."""
    import onnx

    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    # Nothing that suits one kind of processor alone.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with scratch_folder() as folder:
        file = folder / "graph.onnx"
        options.optimized_model_filepath = str(file)
        try:
            onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no common class of their own.
            raise _not_convertible(error) from error
        return onnx.load(str(file))


def _not_convertible(error: Exception) -> ModelError:
    return ModelError(f"this model cannot be converted ({error}); it runs from its experiment directory alone")


def _with_external_weights(proto: Any, weights: set[str]) -> OnnxGraph:
    """Turn inputs that are weights into initialisers whose values are handed over when a session starts."""
    import onnx

    graph = proto.graph
    used = set(_read(graph))
    for given in list(graph.input):
        if given.name not in weights:
            continue
        graph.input.remove(given)
        if given.name not in used:
            continue
        tensor = onnx.TensorProto(name=given.name, data_type=given.type.tensor_type.elem_type)
        tensor.dims.extend(one.dim_value for one in given.type.tensor_type.shape.dim)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")
        graph.initializer.append(tensor)
    proto.producer_name, proto.doc_string = "speechtl", ""
    taken = tuple(tensor.name for tensor in graph.initializer if tensor.name in weights)
    return OnnxGraph(proto.SerializeToString(), taken)


def _read(graph: Any) -> Iterator[str]:
    """Yield the names of all tensors that nodes read, those of inner graphs (loops) included."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _read(attribute.g)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep tf2onnx's account of what it does out of the log."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
