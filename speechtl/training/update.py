"""One compiled update of the weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from speechtl.batches.pipeline import Batch
from speechtl.errors import ModelError
from speechtl.training.objective import Objective


class Update:
    """Loss, gradients, clipping and the step of the optimizer, compiled once for each language."""

    def __init__(
        self,
        objective: Objective,
        variables: Mapping[str, keras.Variable],
        optimizer: keras.optimizers.Optimizer,
        *,
        clip_norm: float,
        seed: int | None,
        strategy: tf.distribute.Strategy | None = None,
        jit: bool = False,
        starts: Mapping[str, int] | None = None,
        targets: Mapping[str, int] | None = None,
        pieces: int = 1,
    ):
        """Configure the update.

        Args:
            objective: the function to minimise.
            variables: the weights that are trained; no gradient is computed for any other.
            optimizer: built over these.
            clip_norm: maximum global norm of the gradient.
            seed: of dropout; None trains without.
            strategy: the one in whose scope the model was made; by default the current one.
            jit: compile with XLA.
            starts: the number of updates before the first of a weight, by path; 0 for weights that are not listed. No
                gradient is computed for a weight that learns later, and it does not count in the norm.
            targets: sizes of `Batch.targets`, by name; none by default.
            pieces: into how many parts a batch is divided, whose gradients are summed before the weights are updated.
        """
        self.objective, self.variables = objective, list(variables.values())
        self.starts = [(starts or {}).get(path, 0) for path in variables]
        self.optimizer, self.clip_norm, self.seed, self.jit = optimizer, clip_norm, seed, jit
        self.targets, self.pieces = targets or {}, pieces
        self.strategy = strategy or tf.distribute.get_strategy()
        replicas = self.strategy.num_replicas_in_sync
        # Whether this process has one replica.
        self._single = replicas == 1 or len(self.strategy.extended.worker_devices) == 1
        self._functions: dict[tuple[str, int], Any] = {}

    def __call__(self, batch: Sequence[Batch], language: str, step: int, share: float) -> dict[str, float]:
        """Update the weights on a batch.

        Args:
            batch: utterances of one language, in ``pieces`` parts.
            language: whose head is trained.
            step: number of updates before this one.
            share: fraction of the training completed, in [0, 1].

        Returns:
            ``loss``, every term of it, the measures of the methods, and ``gradient_norm``.
        """
        if self._single and self.strategy.num_replicas_in_sync > 1:
            # Without the bundles of one that come from a strategy.
            local = self.strategy.experimental_local_results
            batch = tf.nest.map_structure(lambda part: local(part)[0], tuple(batch))
        number, done = tf.constant(step, tf.int32), tf.constant(min(share, 1.0), tf.float32)
        terms, norm = self.compiled(language, step)(tuple(batch), number, done)
        return {name: float(value) for name, value in terms.items()} | {"gradient_norm": float(norm)}

    def compiled(self, language: str, step: int = 0) -> Any:
        """Return the function ``(batch, step, share) -> (terms, gradient norm)`` that updates on ``language``.

        Args:
            language: whose head is trained.
            step: number of updates before; the function serves until the next weights begin to learn.
        """
        learning = [variable for variable, start in zip(self.variables, self.starts, strict=True) if start <= step]
        key = language, len(learning)
        if key not in self._functions:
            self._functions[key] = self._compile(language, learning)
        return self._functions[key]

    def _compile(self, language: str, learning: list[keras.Variable]) -> Any:
        replicas = self.strategy.num_replicas_in_sync

        def gradients_of(
            batch: Batch, piece: int, step: tf.Tensor, share: tf.Tensor
        ) -> tuple[list[Any], dict[str, tf.Tensor]]:
            seed = None
            if self.seed is not None:
                # Dropout is a function of seed, step, replica (or part of its batch) and layer.
                replica = tf.distribute.get_replica_context().replica_id_in_sync_group
                place = tf.cast(replica, tf.int32) + piece * replicas
                seed = tf.stack([step, (self.seed % 10_000) * 100_000 + place * 10_000])
            with tf.GradientTape() as tape:
                terms, measures = self.objective(batch, language, seed, share)
                loss = tf.add_n(list(terms.values()))
            return tape.gradient(loss, [variable.value for variable in learning]), {"loss": loss, **terms, **measures}

        def update(
            batch: tuple[Batch, ...], step: tf.Tensor, share: tf.Tensor
        ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            context = tf.distribute.get_replica_context()
            found, logged = gradients_of(batch[0], 0, step, share)
            # Weights that a batch does not reach (heads and private blocks of other languages) are left out: a gradient
            # of zero would still move them, by weight decay and by the momentum of earlier batches.
            reached = [variable for variable, gradient in zip(learning, found, strict=True) if gradient is not None]
            gradients = _dense(found)
            for piece, part in enumerate(batch[1:], start=1):
                # One after the other, since together they would take the memory of the whole.
                with tf.control_dependencies(gradients):
                    part = tf.nest.map_structure(tf.identity, part)
                found, more = gradients_of(part, piece, step, share)
                gradients = [total + gradient for total, gradient in zip(gradients, _dense(found), strict=True)]
                logged = {name: value + more[name] for name, value in logged.items()}
            if not reached:
                raise ModelError(
                    f"language {language}: nothing that its speech passes through is trained; leave its training data "
                    "out, or check the transfer methods and training.unfreeze"
                )
            if replicas > 1:
                gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
                logged = {name: context.all_reduce(tf.distribute.ReduceOp.SUM, value) for name, value in logged.items()}
            gradients, norm = tf.clip_by_global_norm(gradients, self.clip_norm)
            # Keras sums the gradients over replicas once more, which clipping must precede; undo its sum.
            self.optimizer.apply([gradient / replicas for gradient in gradients], reached)
            return logged, norm

        # One trace for all lengths, unless the batch is a bundle of one per replica of this process.
        shapes = None
        if self._single:
            whole, rows = tf.TensorSpec((), tf.int32), tf.TensorSpec((None,), tf.int32)
            features = tf.TensorSpec((None, None, self.objective.model.inputs))
            labels = tf.TensorSpec((None, None), tf.int32)
            targets = {name: tf.TensorSpec((None, None, size)) for name, size in self.targets.items()}
            batch = Batch(features, rows, labels, rows, rows, rows, rows, whole, whole, targets)
            shapes = ((batch,) * self.pieces, whole, tf.TensorSpec((), tf.float32))
        jit = self.jit or None

        @tf.function(input_signature=shapes, reduce_retracing=not self._single, autograph=False, jit_compile=jit)
        def step(
            batch: tuple[Batch, ...], number: tf.Tensor, share: tf.Tensor
        ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            terms, norm = self.strategy.run(update, args=(batch, number, share))
            if replicas > 1:
                first = self.strategy.experimental_local_results
                return {name: first(term)[0] for name, term in terms.items()}, first(norm)[0]
            return terms, norm

        return step


def _dense(gradients: Sequence[Any]) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]
