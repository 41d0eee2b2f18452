"""What it is worth to pretrain ELM-GRU-AM's network on windows without labels, by the share of labels.

python -m benchmarks.bench_pretraining [--seeds 4] [--only ku-har] [--shares 0.01 0.05]; JSON on stdout, needs
HAR_DATA_DIR.

A quarter of the people is held out to be tested; of the others, as many are taken as show at most `MOST` windows, and
labels are drawn as in `bench_unlabelled`. The network is trained twice on what is labelled, by the same steps: from
scratch, and after it was pretrained on the windows of all these people, by masked reconstruction: two fifths of each
window are silenced, and a small decoder tells the features of the silenced frames from what the GRU and the embedding
make of the rest. All else of the two models is the same: features, scaling, head, people to combine by.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from app.har.classifiers import keras_training
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier, TrainingPart
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.elm_gru_am.description import Description, WindowDescriber
from app.har.classifiers.elm_gru_am.features import per_chunk
from app.har.classifiers.elm_gru_am.sensor_layout import SensorLayout
from app.har.evaluation.splits import split_windows
from app.har.progress import OnEvent
from app.har.types import FloatArray
from app.har.windows import WindowSet
from benchmarks.bench_unlabelled import drawn, f1
from benchmarks.data import windows_of

if TYPE_CHECKING:
    import keras

TESTED = ("hapt",)
SHARES = (0.01, 0.05, 0.2, 1.0)
MOST = 2500  # windows to pretrain on
MASKED = 0.4  # of the length of a window
EPOCHS, BATCH = 10, 128
LARGE = 20_000  # windows that the time is computed for


class Pretraining:
    """Masked reconstruction on windows without labels, and what it took."""

    def __init__(self, windows: WindowSet, epochs: int) -> None:
        started = time.process_time()
        config = ModelConfig(without=("convolutions",))  # which are the head's
        bare = WindowDescriber(config, SensorLayout(windows.channels), windows.sampling_rate_hz, windows.X.shape[1])
        bare = bare.with_convolutions(windows, 0)
        self.description = Description.joined(per_chunk(windows, bare))
        self.epochs = epochs
        self.described_s, self.start_s, self.trained_s = time.process_time() - started, 0.0, 0.0
        self.error = 1.0  # of the features of silenced frames, as a share of what saying their mean leaves

    def __call__(self, network: keras.Model, inputs: dict[str, FloatArray], middles: FloatArray, seed: int) -> None:
        """Train a network up to its embedding; ``middles`` (n_frames,) are those of its frames, in window lengths."""
        keras = keras_training.tensorflow_quietly()
        import tensorflow as tf

        started = time.process_time()
        frames = [name for name in inputs if name.endswith(" frames")]
        raw = [name for name in inputs if name.endswith(" raw")]
        n_features = sum(inputs[name].shape[2] for name in frames)
        model = self._with_decoder(network, len(middles), n_features)
        optimizer = keras.optimizers.AdamW(weight_decay=keras_training.WEIGHT_DECAY)
        optimizer.build(model.trainable_variables)

        def step(X: Any) -> Any:
            start = tf.random.uniform((tf.shape(X["present"])[0], 1), 0.0, 1 - MASKED)

            def seen(places: FloatArray) -> Any:  # (n, places, 1), 0 where the window is silenced
                inside = (places >= start) & (places < start + MASKED)
                return tf.cast(~inside, tf.float32)[:, :, None]

            of_frames = seen(middles)
            rest = {name: X[name] * of_frames for name in frames}
            for name in raw:
                n_steps = X[name].shape[1]
                rest[name] = X[name] * seen(((np.arange(n_steps) + 0.5) / n_steps).astype(np.float32))
            target, silenced = tf.concat([X[name] for name in frames], axis=2), 1 - of_frames
            with tf.GradientTape() as tape:
                found = model({**rest, "present": X["present"]}, training=True)
                loss = tf.reduce_sum((found - target) ** 2 * silenced) / tf.reduce_sum(silenced)
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)
            return loss, tf.reduce_sum(target**2 * silenced) / tf.reduce_sum(silenced)

        signature = {name: tf.TensorSpec((None, *x.shape[1:]), tf.float32) for name, x in inputs.items()}
        compiled = tf.function(step, input_signature=[signature], autograph=False).get_concrete_function()
        self.start_s = time.process_time() - started
        started = time.process_time()
        order, n = np.random.default_rng(seed), len(self.description.frames)
        for epoch in range(self.epochs):
            falling = 0.3 if epoch == 0 else 0.5 * (1 + np.cos(np.pi * epoch / self.epochs))
            optimizer.learning_rate = keras_training.LEARNING_RATE * falling
            rows = np.array_split(order.permutation(n), max(1, n // BATCH))
            steps = [compiled({name: tf.constant(x[index]) for name, x in inputs.items()}) for index in rows]
            error, of_mean = np.array([[float(x) for x in one] for one in steps]).mean(axis=0)
            self.error = float(error / of_mean)
        self.trained_s = time.process_time() - started

    @staticmethod
    def _with_decoder(network: keras.Model, n_frames: int, n_features: int) -> keras.Model:
        keras = keras_training.tensorflow_quietly()
        layers = keras.layers
        (steps,) = (layer.output for layer in network.layers if isinstance(layer, layers.Bidirectional))
        window = layers.RepeatVector(n_frames)(network.output["embedding"])
        x = layers.Dense(128, activation="relu")(layers.Concatenate()([steps, window]))
        return keras.Model(network.input, layers.Dense(n_features)(x))

    def costs(self) -> dict[str, float]:
        """Return the processor time that it took, and what that makes for many windows."""
        thousands = len(self.description.frames) / 1000
        described, trained = self.described_s / thousands, self.trained_s / thousands
        return {
            "to build the network (s)": self.start_s,
            "to describe 1,000 windows (s)": described,
            "to train on 1,000 windows (s)": trained,
            f"{LARGE:,} windows, computed (min)": (self.start_s + LARGE / 1000 * (described + trained)) / 60,
        }


class TwiceTrained(ActivityClassifier):
    """ELM-GRU-AM whose network is trained from scratch, and again after pretraining; else the same."""

    def __init__(self, pretraining: Pretraining) -> None:
        super().__init__()
        self.pretraining, self.pretrains = pretraining, False
        self.ways: dict[str, tuple[Any, Any]] = {}

    def _fit_network_and_combination(
        self,
        part: TrainingPart,
        scores: dict[tuple[bool, ...], FloatArray],
        epochs: int | None,
        seed: int,
        on_event: OnEvent,
    ) -> None:
        for way, self.pretrains in (("without", False), ("with", True)):
            super()._fit_network_and_combination(part, scores, epochs, seed, on_event)
            self.ways[way] = self.network_, self.combinations_

    def _build_network(self, description: Description, seed: int) -> keras.Model:
        network = super()._build_network(description, seed)
        if self.pretrains:
            unlabelled = self.pretraining.description
            present = np.ones((len(unlabelled.frames), len(self.sensors)), bool)
            length_s, step_s = self.describer_.frames_s
            middles = (np.arange(unlabelled.frames.shape[1]) * step_s + length_s / 2) / self.window_length_s
            inputs = self._network_inputs(unlabelled, present)
            self.pretraining(network, inputs, middles.astype(np.float32), seed)
        return network

    def scores(self, test: WindowSet) -> dict[str, float]:
        """Return macro F1 of the network alone and of the whole model, without and with pretraining."""
        description = Description.joined(per_chunk(test, self.describer_))
        inputs = self._network_inputs(description, np.ones((len(test), len(self.sensors)), bool))
        found: dict[str, float] = {}
        for way, (network, combinations) in self.ways.items():
            self.network_, self.combinations_ = network, combinations
            found[f"network, {way}"] = f1(test, network(inputs)["activity"].argmax(axis=1))
            whole = self.recognise_described(test, description).probabilities
            found[f"whole model, {way}"] = f1(test, whole.argmax(axis=1))
            found[f"weight of the network, {way}"] = combinations[(True,) * len(self.sensors)][0]
        return dict(sorted(found.items()))


def of_few_people(windows: WindowSet, seed: int) -> WindowSet:
    """Return the windows of people drawn in turn, as long as there are at most `MOST`."""
    people, counts = np.unique(windows.subjects, return_counts=True)
    turns = np.random.default_rng(seed).permutation(len(people))
    kept = people[turns[np.cumsum(counts[turns]) <= MOST]]
    return windows.take(np.isin(windows.subjects, kept))


def measure(name: str, seed: int, shares: list[float], epochs: int) -> dict[str, Any]:
    """Return the figures of one data set and draw of people, by the share of labels."""
    windows = windows_of(name)
    split = split_windows(windows, "subject", seed, 0.25)
    train, test = of_few_people(windows.take(split.train), seed), windows.take(split.test)
    pretraining = Pretraining(train, epochs)
    result: dict[str, Any] = {}
    for share in shares:
        labelled = train.take(drawn(train, share, seed))
        model = TwiceTrained(pretraining)
        model.fit(labelled, seed=seed)
        row = {"windows labelled": len(labelled)} | {key: round(x, 3) for key, x in model.scores(test).items()}
        result[f"{100 * share:g} % of the labels"] = row | {"error left": round(pretraining.error, 3)}
        print(name, seed, share, row, round(pretraining.error, 3), file=sys.stderr, flush=True)
    counted = {"windows without labels": len(train), "of people": len(set(train.subjects))}
    tested = {"windows tested": len(test), "people tested": len(set(test.subjects)), "epochs": epochs}
    costs = {key: round(x, 1) for key, x in pretraining.costs().items()}
    print(name, seed, counted, tested, costs, file=sys.stderr, flush=True)
    return result | {"pretraining": counted | tested | costs}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="*", default=[4])
    parser.add_argument("--only", nargs="*", default=list(TESTED))
    parser.add_argument("--shares", type=float, nargs="*", default=list(SHARES))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    result = {
        f"{name}, seed {seed}": measure(name, seed, arguments.shares, arguments.epochs)
        for name in arguments.only
        for seed in arguments.seeds
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
