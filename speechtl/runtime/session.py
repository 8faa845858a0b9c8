"""A computation graph and its weights, ready to run."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from speechtl.errors import ModelError
from speechtl.files import read_bytes
from speechtl.pieces import processors


def load_onnxruntime() -> Any:
    """Return the module of ONNX Runtime, which reports nothing to its makers.

    Release 1.32 for Linux makes its telemetry ready as soon as it is imported, and leaves a file ``.ses`` among the
    temporary ones, unless ``ORT_DISABLE_TELEMETRY`` is set.

    Raises:
        ImportError: it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


class Session:
    """A computation graph of an exported model, run by ONNX Runtime.

    The graph has no weights of its own. They are handed over when the session starts, which then folds whatever is
    constant.

    Args:
        graph: the ONNX file.
        weights: by path, those that the graph has inputs for.
        threads: how many threads share an operation; None for ``OMP_NUM_THREADS``, or the processors to run on.

    Raises:
        ModelError: ONNX Runtime is missing, or the graph is damaged or lacks weights.
    """

    def __init__(self, graph: Path, weights: Mapping[str, np.ndarray], threads: int | None = None):
        try:
            onnxruntime = load_onnxruntime()
        except ImportError as error:
            raise ModelError(f"{graph}: exported models run on ONNX Runtime; pip install onnxruntime") from error
        content = read_bytes(graph, error=ModelError, advice="export the model again")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or processors()
        # The search works between two batches: threads that spin would take the processor from it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Inputs have all lengths; memory that is kept for each of them would grow with every recording.
        options.enable_mem_pattern = False
        # What it warns of (an initialiser that nothing reads) is of no use to a user.
        options.log_severity_level = 3
        # The session refers to the arrays.
        self._weights = {name: np.ascontiguousarray(array) for name, array in weights.items()}
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in self._weights.values()]
        options.add_external_initializers(list(self._weights), values)
        try:
            self._session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no common class of their own.
            raise ModelError(f"{graph}: ONNX Runtime cannot load it ({error}); export the model again") from error

    def run(self, **inputs: np.ndarray) -> list[np.ndarray]:
        """Return the outputs of the graph, in its order, for its inputs by name."""
        return self._session.run(None, inputs)
