"""What ELM-GRU-AM computes of windows, in terms of a few operations, for whichever library is to run them.

It says in whole batches what `classifiers.elm_gru_am` says in NumPy and `c/recognise.c` says in C.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.har.classifiers.elm_gru_am.convolutions import STRIDE
from app.har.classifiers.elm_gru_am.elm import NODE_SCALE
from app.har.classifiers.elm_gru_am.familiarity import FAR
from app.har.classifiers.elm_gru_am.features import FLOOR
from app.har.classifiers.elm_gru_am.plain_network import ABSENT
from app.har.classifiers.elm_gru_am.scaling import CLIP
from app.har.exports.device_model import DeviceModel, Kernels, Stretch
from app.har.types import FloatArray

Tensor = Any  # of the library; its first axis is that of the windows


class Operations(Protocol):
    """What a library must offer. Constants come as arrays of NumPy."""

    def constant(self, values: NDArray[Any]) -> Tensor: ...
    def weights(self, values: FloatArray) -> Tensor:
        """Return a matrix that may be stored coarser than it is."""

    def add(self, a: Tensor, b: Tensor) -> Tensor: ...
    def subtract(self, a: Tensor, b: Tensor) -> Tensor: ...
    def multiply(self, a: Tensor, b: Tensor) -> Tensor: ...
    def divide(self, a: Tensor, b: Tensor) -> Tensor: ...
    def maximum(self, a: Tensor, b: Tensor) -> Tensor: ...
    def minimum(self, a: Tensor, b: Tensor) -> Tensor: ...
    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the product of matrices, over the last two axes."""

    def unary(self, name: str, a: Tensor) -> Tensor:
        """Return "exp", "log", "sqrt", "tanh", "sigmoid" or "abs" of each value."""

    def reduce(self, name: str, a: Tensor, axis: int) -> Tensor:
        """Return the "sum", "mean", "max" or "min" along an axis, which stays with length 1."""

    def is_nan(self, a: Tensor) -> Tensor:
        """Return 1 where a value is missing, and else 0."""

    def at_most(self, a: Tensor, limit: float) -> Tensor:
        """Return 1 where a value is at most so large, and else 0."""

    def where(self, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Return ``a`` where a condition is 1, and ``b`` where it is 0."""

    def cut(self, a: Tensor, axis: int, start: int, stop: int, step: int = 1) -> Tensor: ...
    def take(self, a: Tensor, axis: int, positions: Sequence[int]) -> Tensor: ...
    def join(self, parts: Sequence[Tensor], axis: int) -> Tensor: ...
    def transpose(self, a: Tensor, *axes: int) -> Tensor: ...
    def reshape(self, a: Tensor, *shape: int) -> Tensor: ...


class Graph:
    """The computation, by the operations of one library."""

    def __init__(self, device: DeviceModel, operations: Operations) -> None:
        self.device, self.model, self.o = device, device.model, operations
        self.members = list(device.layout.by_sensor.values())
        self.n_sensors = len(self.members)

    def answer(self, windows: Tensor) -> dict[str, Tensor]:
        """Return what is said of windows (n, n_timesteps, n_channels).

        ``probabilities`` (n, n_activities), ``novelty`` (n, n_sensors), where what is missing is far beyond 1, and
        ``unfamiliar`` (n, 1), 1 where no sensor is like what was seen in training.
        """
        o, model = self.o, self.model
        x = o.transpose(windows, 0, 2, 1)  # (n, n_channels, n_timesteps)
        x, missing = self._silenced(x)
        raw = self._averaged(x)
        frames = self._frames(x)  # (n, n_frames, n_features)
        mean = o.reshape(o.reduce("mean", frames, 1), -1, self.device.n_features(self.device.frame))
        means = o.take(mean, 1, self.device.absolute.tolist())
        whole = self._described(self.device.whole, x)
        shapes = [self._shapes(kernels, raw) for kernels in self.device.kernels]
        columns = o.join([whole, means, *shapes], 1)
        scaler = model.window_scaler_
        scaled = o.divide(o.subtract(columns, o.constant(scaler.mean)), o.constant(scaler.deviation))
        blocks = [o.take(scaled, 1, own.tolist()) for own in model.window_columns_]
        novelty = o.join([self._novelty(number, blocks[number]) for number in range(self.n_sensors)], 1)
        novelty = o.where(missing, o.constant(np.array([1e9], np.float32)), novelty)
        usual = o.at_most(novelty, 1.0)
        any_usual = o.reduce("max", usual, 1)
        one = o.constant(np.ones(1, np.float32))
        there = o.subtract(one, missing)
        present = o.where(any_usual, usual, there)  # where all are novel, all that there are count
        log_p = self._log_of_network(frames, raw, present)
        scores = self._scores(blocks, present)
        network, head = self._temperatures(present)
        logits = o.add(o.multiply(network, log_p), o.multiply(head, scores))
        return {
            "probabilities": self._softmax(logits, 1),
            "novelty": novelty,
            "unfamiliar": o.subtract(one, any_usual),
        }

    def _silenced(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the signal with zeros where a sensor is missing, and which are: (n, n_sensors)."""
        o = self.o
        gone = o.reduce("min", o.is_nan(x), 2)  # (n, n_channels, 1)
        of_sensors = [o.reduce("min", o.take(gone, 1, members), 1) for members in self.members]
        missing = o.join(of_sensors, 1)  # (n, n_sensors, 1)
        sensor_of = np.zeros(len(self.model.channels), int)
        for number, members in enumerate(self.members):
            sensor_of[members] = number
        zero = o.constant(np.zeros(1, np.float32))
        silent = o.where(o.take(missing, 1, sensor_of.tolist()), zero, x)
        return silent, o.reshape(missing, -1, self.n_sensors)

    def _averaged(self, x: Tensor) -> Tensor:
        """Return the signal at the rate of the convolutions: (n, n_channels, n_raw_steps)."""
        o, average, n_steps = self.o, self.model.describer_.averaged, self.device.n_raw_steps
        lacking = n_steps * average - self.model.n_timesteps
        if lacking > 0:
            last = o.take(x, 2, [self.model.n_timesteps - 1] * lacking)
            x = o.join([x, last], 2)
        total = o.cut(x, 2, 0, n_steps * average, average)
        for i in range(1, average):
            total = o.add(total, o.cut(x, 2, i, n_steps * average, average))
        return o.multiply(total, self._scalar(1 / average))

    def _frames(self, x: Tensor) -> Tensor:
        """Return the features of frames, (n, n_frames, n_features): all frames of all windows in one batch."""
        o, stretch, step = self.o, self.device.frame, self.device.frame_step
        n_frames, n_channels = self.device.described.frames.shape[1], len(self.model.channels)
        parts = [o.cut(x, 2, f * step, f * step + stretch.length) for f in range(n_frames)]
        together = o.reshape(o.join(parts, 1), -1, n_channels, stretch.length)  # (n · n_frames, n_channels, length)
        return o.reshape(self._described(stretch, together), -1, n_frames, self.device.n_features(stretch))

    def _described(self, stretch: Stretch, x: Tensor) -> Tensor:
        """Return the features of a stretch: (n, n_features)."""
        o, length = self.o, stretch.length
        floor = self._scalar(float(FLOOR))
        centre = o.reduce("mean", x, 2)
        signals = [x]
        for members in self.members:
            if len(members) > 1:
                for axes in (o.take(x, 1, members), o.take(o.subtract(x, centre), 1, members)):
                    signals.append(o.unary("sqrt", o.reduce("sum", o.multiply(axes, axes), 1)))
        every = o.join(signals, 1)  # (n, n_signals, length)
        mean = o.reduce("mean", every, 2)
        z = o.subtract(every, mean)
        spread = o.add(o.unary("sqrt", o.reduce("mean", o.multiply(z, z), 2)), floor)
        steps = o.unary("abs", o.subtract(o.cut(z, 2, 1, length), o.cut(z, 2, 0, length - 1)))
        jerk = o.multiply(o.reduce("mean", steps, 2), self._scalar(stretch.sampling_rate_hz))
        trend = o.reduce("mean", o.multiply(z, o.constant(stretch.ramp)), 2)
        found = [
            mean,
            o.unary("log", spread),
            o.unary("log", o.add(jerk, floor)),
            o.unary("log", o.add(o.reduce("max", z, 2), floor)),
            o.unary("log", o.subtract(floor, o.reduce("min", z, 2))),
            o.divide(trend, spread),
        ]
        square = o.multiply(spread, spread)
        for lag in stretch.lags:
            lagged = o.multiply(o.cut(z, 2, lag, length), o.cut(z, 2, 0, length - lag))
            found.append(o.divide(o.reduce("mean", lagged, 2), square))
        found.append(self._powers(stretch, z))
        pairs = self.device.pairs
        if pairs:
            first, second = ([pair[side] for pair in pairs] for side in (0, 1))
            together = o.reduce("mean", o.multiply(o.take(z, 1, first), o.take(z, 1, second)), 2)
            found.append(o.divide(together, o.multiply(o.take(spread, 1, first), o.take(spread, 1, second))))
        return o.reshape(o.join(found, 1), -1, self.device.n_features(stretch))

    def _powers(self, stretch: Stretch, z: Tensor) -> Tensor:
        """Return the power of each band, (n, n_bands · n_signals, 1), each followed by what it is of the whole."""
        o, floor = self.o, self._scalar(float(FLOOR) ** 2)
        power = self._spectrum(o.multiply(z, o.constant(stretch.taper)), stretch)  # (n, n_signals, length)
        edges, n_signals = stretch.edges, self.device.n_signals
        bands = o.join([o.reduce("mean", o.cut(power, 2, low, high), 2) for low, high in pairwise(edges)], 1)
        bands = o.unary("log", o.add(bands, floor))
        if not stretch.relative:
            return bands
        whole = o.unary("log", o.add(o.reduce("mean", o.cut(power, 2, 1, edges[-1]), 2), floor))
        n_bands = len(edges) - 1
        both = o.join([bands, o.subtract(bands, o.join([whole] * n_bands, 1))], 1)
        order = np.arange(2 * n_bands * n_signals).reshape(2, n_bands, n_signals).transpose(1, 0, 2)
        return o.take(both, 1, order.ravel().tolist())

    def _spectrum(self, z: Tensor, stretch: Stretch) -> Tensor:
        """Return the power at each frequency, (n, n_signals, length): a transform by two factors of the length.

        Its matrices are small enough that no converter makes them coarser.
        """
        o, n, n_signals = self.o, stretch.length, self.device.n_signals
        a = max(factor for factor in range(1, int(n**0.5) + 1) if n % factor == 0)
        b = n // a
        values = o.reshape(z, -1, n_signals, a, b)  # the sample t1 · b + t2
        first, second = (np.outer(np.arange(m), np.arange(m)) * 2 * np.pi / m for m in (a, b))
        turn = np.outer(np.arange(a), np.arange(b)) * 2 * np.pi / n  # (k1, t2)
        cosine, sine = (o.constant(f(first).astype(np.float32)) for f in (np.cos, np.sin))
        real, imaginary = o.product(cosine, values), o.product(sine, values)  # (…, k1, t2); imaginary negated
        c, s = (o.constant(f(turn).astype(np.float32)) for f in (np.cos, np.sin))
        real, imaginary = (
            o.subtract(o.multiply(real, c), o.multiply(imaginary, s)),
            o.add(o.multiply(real, s), o.multiply(imaginary, c)),
        )
        cosine, sine = (o.constant(f(second).astype(np.float32)) for f in (np.cos, np.sin))
        real, imaginary = (
            o.subtract(o.product(real, cosine), o.product(imaginary, sine)),
            o.add(o.product(real, sine), o.product(imaginary, cosine)),
        )
        power = o.add(o.multiply(real, real), o.multiply(imaginary, imaginary))  # (…, k1, k2) of the bin k1 + a · k2
        return o.reshape(o.transpose(power, 0, 1, 3, 2), -1, n_signals, n)

    def _shapes(self, kernels: Kernels, raw: Tensor) -> Tensor:
        """Return the random convolutions of one device, (n, n_kernels)."""
        o, n_steps, taps = self.o, self.device.n_raw_steps, kernels.weights.shape[2]
        signal = o.take(raw, 1, kernels.channels.tolist())
        signal = o.subtract(signal, o.reduce("mean", signal, 2))
        size = o.unary("sqrt", o.reduce("mean", o.multiply(signal, signal), 2))
        signal = o.divide(signal, o.add(size, self._scalar(1e-3)))
        found, first = [], 0
        for number, count in enumerate(kernels.counts):
            apart = 2**number
            last = n_steps - (taps - 1) * apart
            read = o.join([o.cut(signal, 2, tap * apart, tap * apart + last, STRIDE) for tap in range(taps)], 1)
            chosen = slice(first, first := first + count)
            weights = kernels.weights[chosen].transpose(0, 2, 1).reshape(count, -1)  # taps · channels
            outputs = o.product(o.transpose(read, 0, 2, 1), o.weights(np.ascontiguousarray(weights.T)))
            biases = o.constant(kernels.biases[chosen])
            above = o.reduce("mean", o.subtract(o.maximum(outputs, biases), biases), 1)
            found.append(o.reshape(above, -1, count))
        return o.join(found, 1)

    def _novelty(self, number: int, block: Tensor) -> Tensor:
        o, known = self.o, self.model.familiarity_[number]
        z = o.product(self._clipped(block, FAR), o.weights(known.whitening))
        off = o.subtract(o.reshape(z, -1, 1, known.centres.shape[1]), o.constant(known.centres))
        distances = o.reduce("sum", o.multiply(off, off), 2)  # (n, n_centres, 1)
        nearest = o.unary("sqrt", o.reshape(o.reduce("min", distances, 1), -1, 1))
        return o.multiply(nearest, self._scalar(1 / known.limit))

    def _log_of_network(self, frames: Tensor, raw: Tensor, present: Tensor) -> Tensor:
        o, model, arrays = self.o, self.model, self.model.network_.arrays
        n_frames = self.device.described.frames.shape[1]
        chosen = o.take(frames, 2, model.selected_.tolist())
        scaler, compander = model.frame_scaler_, model.compander_
        chosen = o.divide(o.subtract(chosen, o.constant(scaler.mean)), o.constant(scaler.deviation))
        chosen = self._clipped(chosen, CLIP)
        column = [o.constant(getattr(compander, part)[:, None]) for part in ("centre", "quiet", "scale")]
        scaled = o.divide(o.subtract(raw, column[0]), column[1])
        size = o.unary("abs", scaled)
        bent = o.unary("log", o.add(size, o.unary("sqrt", o.add(o.multiply(scaled, scaled), self._scalar(1)))))
        sign = o.divide(scaled, o.maximum(size, self._scalar(1e-20)))
        companded = o.divide(o.multiply(sign, bent), column[2])
        encoded, scores = [], []
        for number, (columns, members) in enumerate(zip(self.device.selected, self.members, strict=True)):
            shape = o.transpose(o.take(companded, 1, members), 0, 2, 1)  # (n, steps, channels)
            n_steps = self.device.n_raw_steps
            for part in ("first", "second"):
                shape, n_steps = self._convolved(shape, n_steps, number, part)
            pooled = o.product(o.constant(arrays[f"{number} pooling"]), shape)
            x = o.product(o.take(chosen, 2, columns.tolist()), o.weights(arrays[f"{number} frames"]))
            x = o.add(x, o.product(pooled, o.weights(arrays[f"{number} shape"])))
            x = self._rectified(o.add(x, o.constant(arrays[f"{number} bias"])))
            encoded.append(x)
            scores.append(self._attention(x, f"{number} "))
        silence = o.multiply(o.subtract(present, self._scalar(1)), self._scalar(float(ABSENT)))
        score = o.add(o.join(scores, 2), o.constant(arrays["score bias"]))  # (n, n_frames, n_sensors)
        weight = self._softmax(o.add(score, o.reshape(silence, -1, 1, self.n_sensors)), 2)
        steps = o.multiply(o.cut(weight, 2, 0, 1), encoded[0])
        for number, x in enumerate(encoded[1:], start=1):
            steps = o.add(steps, o.multiply(o.cut(weight, 2, number, number + 1), x))
        states = self._gru(steps, n_frames)
        attention = self._softmax(self._attention(states, ""), 1)
        average = o.reduce("sum", o.multiply(attention, states), 1)
        average = o.reshape(average, -1, arrays["embedding"].shape[0])
        embedding = self._rectified(self._dense(average, "embedding"))
        probabilities = self._softmax(self._dense(embedding, "activity"), 1)
        return o.unary("log", o.add(probabilities, self._scalar(1e-7)))

    def _convolved(self, x: Tensor, n_steps: int, number: int, part: str) -> tuple[Tensor, int]:
        """Convolve (n, steps, channels) in strides of 2, padded as Keras pads; return it and its steps."""
        o, kernel = self.o, self.model.network_.arrays[f"{number} {part}"]
        n_channels = len(self.members[number]) if part == "first" else self._filters
        taps, n_out = len(kernel) // n_channels, (n_steps + 1) // 2
        padding = max(2 * (n_out - 1) + taps - n_steps, 0)
        silent = o.multiply(o.cut(x, 1, 0, 1), self._scalar(0))
        x = o.join([silent] * (padding // 2) + [x] + [silent] * (padding - padding // 2), 1)
        read = o.join([o.cut(x, 1, tap, tap + 2 * (n_out - 1) + 1, 2) for tap in range(taps)], 2)
        shift = o.constant(self.model.network_.arrays[f"{number} {part} shift"])
        return self._rectified(o.add(o.product(read, o.weights(kernel)), shift)), n_out

    @property
    def _filters(self) -> int:
        return int(self.model.network_.arrays["0 first"].shape[1])

    def _attention(self, x: Tensor, prefix: str) -> Tensor:
        """Return what an attention makes of each frame, (n, n_frames, 1)."""
        o, arrays = self.o, self.model.network_.arrays
        hidden = o.unary("tanh", self._dense(x, f"{prefix}hidden"))
        return o.product(hidden, o.constant(arrays[f"{prefix}score"]))

    def _gru(self, steps: Tensor, n_frames: int) -> Tensor:
        """Return the states after each frame, forwards and backwards, (n, n_frames, 2 units)."""
        o, arrays = self.o, self.model.network_.arrays
        recurrent, bias = arrays["gru recurrent"], arrays["gru recurrent bias"]
        units = recurrent.shape[2]
        read = self._dense(steps, "gru input")
        ways: list[list[Tensor]] = []
        for way in (0, 1):
            kept_by = [(o.weights(recurrent[g, way]), o.constant(bias[g, way, 0])) for g in range(3)]
            state, states = None, []
            for frame in range(n_frames) if way == 0 else reversed(range(n_frames)):
                now = o.reshape(o.cut(read, 1, frame, frame + 1), -1, 6 * units)
                of_gate = [o.cut(now, 1, (2 * g + way) * units, (2 * g + way + 1) * units) for g in range(3)]
                kept = [b if state is None else o.add(o.product(state, w), b) for w, b in kept_by]
                update, reset = (o.unary("sigmoid", o.add(of_gate[g], kept[g])) for g in (0, 1))
                candidate = o.unary("tanh", o.add(of_gate[2], o.multiply(reset, kept[2])))
                before = o.multiply(candidate, self._scalar(0)) if state is None else state
                state = o.add(o.multiply(update, o.subtract(before, candidate)), candidate)
                states.append(o.reshape(state, -1, 1, units))
            ways.append(states if way == 0 else states[::-1])
        return o.join([o.join(states, 1) for states in ways], 2)

    def _scores(self, blocks: Sequence[Tensor], present: Tensor) -> Tensor:
        """Return the head's scores for the sensors present, (n, n_activities); 0 for a pattern never learnt."""
        o, device = self.o, self.device
        nodes = []
        for number, block in enumerate(blocks):
            x = self._clipped(block, CLIP)
            if number < self.n_sensors:
                weights, bias = device.hidden_layer[number]
                nodes.append(self._rectified(o.add(o.product(x, o.weights(weights)), o.constant(bias))))
            else:
                nodes.append(o.multiply(x, self._scalar(NODE_SCALE)))
        sensors_first = {pattern[: self.n_sensors]: parts for pattern, parts in device.outputs()}
        total = None
        for pattern, parts in sensors_first.items():
            used = [(nodes[i], part) for i, part in enumerate(parts) if part is not None and len(part)]
            score = o.product(o.join([node for node, _ in used], 1), o.weights(np.concatenate([p for _, p in used])))
            score = o.multiply(score, self._is_pattern(present, pattern))
            total = score if total is None else o.add(total, score)
        return total

    def _is_pattern(self, present: Tensor, pattern: Sequence[bool]) -> Tensor:
        """Return 1 where just these sensors are present, and else 0: (n, 1)."""
        o = self.o
        wanted = np.array(pattern, np.float32)
        other = o.unary("abs", o.subtract(present, o.constant(wanted)))
        return o.subtract(self._scalar(1), o.reduce("max", other, 1))

    def _temperatures(self, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weight of the network's log probabilities and of the head's scores, (n, 1) each."""
        o, combinations = self.o, self.model.combinations_
        usual = combinations[(True,) * self.n_sensors]
        found = [self._scalar(usual[0]), self._scalar(usual[1])]
        for pattern, weights in combinations.items():
            here = self._is_pattern(present, pattern)
            found = [
                o.add(value, o.multiply(here, self._scalar(weight - all_sensors)))
                for value, weight, all_sensors in zip(found, weights, usual, strict=True)
            ]
        return found[0], found[1]

    def _dense(self, x: Tensor, name: str) -> Tensor:
        arrays = self.model.network_.arrays
        return self.o.add(self.o.product(x, self.o.weights(arrays[name])), self.o.constant(arrays[f"{name} bias"]))

    def _softmax(self, x: Tensor, axis: int) -> Tensor:
        o = self.o
        grown = o.unary("exp", o.subtract(x, o.reduce("max", x, axis)))
        return o.divide(grown, o.reduce("sum", grown, axis))

    def _clipped(self, x: Tensor, most: float) -> Tensor:
        return self.o.maximum(self.o.minimum(x, self._scalar(most)), self._scalar(-most))

    def _rectified(self, x: Tensor) -> Tensor:
        return self.o.maximum(x, self._scalar(0))

    def _scalar(self, value: float) -> Tensor:
        return self.o.constant(np.array([value], np.float32))
