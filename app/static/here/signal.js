// Signals as a model takes them: its gravity, its rate, cut at gaps and into windows. The rules are those of app/har/signals,
// for one recording in m/s² and rad/s; tests/browser/test_on_the_phone.py compares the two.
const GAP_PERIODS = 5, MIN_STRETCH_S = 0.5; // clocks.py, resampling.py
const ANTI_ALIAS_FROM = 1.05, MAX_UPSAMPLING = 8, CLOSEST = 0.2, ON_TIME = 1e-3, HOLE = 4;
const REACH = 10, KAISER_BETA = 5; // decimation.py
const GRAVITY_HZ = 0.3, GRAVITY_ORDER = 3, NOISE_ORDER = 4; // filters.py
const G = 9.80665, HOLDS_GRAVITY = 0.5, MOST_G = 2;

const median = (values) => {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

// The first position whose value is at least (or, with `after`, beyond) what is asked.
function search(values, wanted, after = false) {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < wanted || (after && values[middle] === wanted)) low = middle + 1; else high = middle;
  }
  return low;
}

// A file in Kinelab's own layout (time_s,acc_x,…): sensors { name, time_s, axes }, each where its three axes are there.
export function readCsv(text, channels) {
  const lines = text.trim().split(/\r?\n/);
  const heads = lines.shift().split(",").map((head) => head.trim());
  const rows = lines.map((line) => line.split(","));
  const timeAt = heads.indexOf("time_s");
  const found = namesOf(channels).map((name) => {
    const at = ["x", "y", "z"].map((axis) => heads.indexOf(`${name}_${axis}`));
    const whole = at.includes(-1) ? [] : rows.filter((row) => at.every((i) => row[i]?.trim() && Number.isFinite(Number(row[i]))));
    return { name, time_s: Float64Array.from(whole, (row) => Number(row[timeAt])), axes: at.map((i) => Float64Array.from(whole, (row) => Number(row[i]))) };
  }).filter((sensor) => sensor.time_s.length > 1);
  if (timeAt < 0 || !found.length) throw new Error(`This file can't be read here. It must have the columns time_s (in seconds) and ${channels.join(", ")}, as files that Kinelab writes have. Kinelab itself reads many more layouts.`);
  for (const { name, time_s: time } of found) {
    const back = time.findIndex((moment, i) => i > 0 && !(moment > time[i - 1]));
    if (back > 0) throw new Error(`Time does not go on at sample ${back + 1} of ${name} (${time[back]} s). Upload the file to Kinelab, which can repair clocks.`);
  }
  return found;
}

// Sensors of channels, each once: acc, gyro, watch.acc …
const namesOf = (channels) => [...new Set(channels.map((channel) => channel.replace(/_[xyz]$/, "")))];

function samplingRate(time) {
  const starts = [];
  let last = -1;
  time.forEach((moment, i) => {
    const second = Math.floor(moment - time[0]);
    if (second !== last) starts.push([i, second]);
    last = second;
  });
  const rates = [];
  for (let k = 1; k < starts.length; k += 1) {
    const [[i, before], [j, second]] = [starts[k - 1], starts[k]];
    if (second - before === 1) rates.push((j - i) / (time[j] - time[i]));
  }
  if (rates.length > 1) return median(rates);
  const steps = time.subarray(1).map((moment, i) => moment - time[i]);
  const inside = steps.filter((step) => step <= Math.max(0.5, GAP_PERIODS * median(steps)));
  return inside.length / inside.reduce((sum, step) => sum + step, 0);
}

// [first, last] positions of each piece without a gap.
function pieces(time, rate, gapS) {
  const most = Math.max(gapS, GAP_PERIODS / rate);
  const found = [];
  let first = 0;
  for (let i = 1; i <= time.length; i += 1) {
    if (i === time.length || time[i] - time[i - 1] > most) {
      found.push([first, i - 1]);
      first = i;
    }
  }
  return found;
}

// A Butterworth low-pass forwards and backwards, as if a mirror image went on beyond the ends.
export function lowPassed(values, rate, cutoff, order) {
  const n = values.length;
  const level = values.reduce((sum, value) => sum + value, 0) / n;
  const edge = Math.min(n - 1, Math.ceil(rate / cutoff));
  let x = Float64Array.from({ length: n + 2 * edge }, (_, i) => {
    const at = Math.abs(i - edge);
    return values[at < n ? at : 2 * (n - 1) - at] - level;
  });
  for (let way = 0; way < 2; way += 1) {
    for (const section of sections(order, cutoff / rate)) filter(x, section);
    x = x.reverse();
  }
  return x.subarray(edge, edge + n).map((value) => value + level);
}

function sections(order, cutoff) {
  const warped = Math.tan(Math.PI * cutoff);
  return Array.from({ length: (order + 1) >> 1 }, (_, k) => {
    const angle = (Math.PI * (2 * k + order + 1)) / (2 * order);
    const [re, im] = [warped * Math.cos(angle), warped * Math.sin(angle)];
    const size = (1 - re) ** 2 + im ** 2; // (1 + p) / (1 - p)
    const [poleRe, poleIm] = [(1 - re ** 2 - im ** 2) / size, (2 * im) / size];
    return 2 * k + 1 === order ? [poleRe, 0] : [2 * poleRe, -(poleRe ** 2 + poleIm ** 2)];
  });
}

// y[t] = first y[t-1] + second y[t-2] + gain Σ x, in place, as if the first value had been there for ever.
function filter(x, [first, second]) {
  const gain = (1 - first - second) / (second ? 4 : 2);
  let [x1, x2, y1, y2] = [x[0], x[0], x[0], x[0]];
  for (let t = 0; t < x.length; t += 1) {
    const now = x[t];
    const y = first * y1 + second * y2 + gain * (second ? now + 2 * x1 + x2 : now + x1);
    [x2, x1, y2, y1] = [x1, now, y1, y];
    x[t] = y;
  }
}

function interpolated(at, time, values) {
  return at.map((moment) => {
    const right = Math.min(Math.max(search(time, moment), 1), time.length - 1);
    const share = Math.min(Math.max((moment - time[right - 1]) / (time[right] - time[right - 1]), 0), 1);
    return values[right - 1] + share * (values[right] - values[right - 1]);
  });
}

// Acceleration as the model was trained with: gravity is what a low-pass lets through (gravity.py).
function matched(sensor, input, rate) {
  if (!/(^|\.)acc$/.test(sensor.name)) return sensor;
  const { time_s: time, axes } = sensor;
  const block = Math.max(1, Math.min(Math.round(rate), time.length));
  const lengths = Array.from({ length: Math.floor(time.length / block) }, (_, k) => Math.hypot(...axes.map((axis) => axis.subarray(k * block, (k + 1) * block).reduce((sum, value) => sum + value, 0) / block)));
  const mean = median(lengths);
  const holds = sensor.gravity ?? mean > HOLDS_GRAVITY * G;
  if (mean > MOST_G * G) throw new Error(`The mean acceleration is ${mean.toFixed(1)} m/s², more than twice gravity. Is it in m/s²?`);
  if (input.gravity === "included" && !holds) throw new Error(`The mean acceleration is ${mean.toFixed(2)} m/s²: gravity was removed, or it is in g. The model was trained with gravity, in m/s².`);
  if (input.gravity === "included" || !holds) return sensor;
  const moved = axes.map((axis) => axis.slice());
  for (const [first, last] of pieces(time, rate, input.preparation.gap_s)) {
    const times = time.subarray(first, last + 1);
    const n = Math.max(2, Math.round((times.at(-1) - times[0]) * rate) + 1);
    const grid = Float64Array.from({ length: n }, (_, i) => times[0] + i / rate);
    moved.forEach((axis) => {
      const own = axis.subarray(first, last + 1);
      const slow = times.length < 3 ? null : interpolated(times, grid, lowPassed(interpolated(grid, times, own), rate, GRAVITY_HZ, GRAVITY_ORDER));
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
      own.forEach((value, i) => { own[i] = value - (slow ? slow[i] : mean); });
    });
  }
  return { ...sensor, axes: moved };
}

// Stretches { start, length, present } in which the same sensors run all through (intervals.py, resampling.py).
function stretches(running, rate, windowS) {
  const least = (Math.round(windowS * rate) - 1 - 1e-6) / rate;
  const long = running.flat().filter(([a, b]) => b - a >= least);
  const kept = running.map((own) => own.filter(([a, b]) => b > a && (b - a >= least || !long.some(([c, d]) => c < b && d > a))));
  const edges = [...new Set(kept.flat(2))].sort((a, b) => a - b);
  const found = [];
  for (let k = 1; k < edges.length; k += 1) {
    let [start, end] = [edges[k - 1], edges[k]];
    const present = kept.map((own) => own.some(([a, b]) => a <= start && b >= end));
    if (!present.some(Boolean)) continue;
    let length = Math.floor((end - start) * rate + 1e-6) + 1;
    if (!present.every(Boolean)) { // its ends belong to its neighbours
      length = Math.ceil((end - start) * rate - 1e-6) - 1;
      start += 1 / rate;
    }
    if (length >= MIN_STRETCH_S * rate) found.push({ start, length, present });
  }
  return found;
}

// Samples that all but share a time become one.
function apart(time, axes, least) {
  const firsts = [];
  time.forEach((moment, i) => { if (!i || moment - time[i - 1] >= least) firsts.push(i); });
  if (firsts.length === time.length) return [time, axes];
  const mean = (values) => Float64Array.from(firsts, (first, k) => {
    const own = values.subarray(first, firsts[k + 1] ?? values.length);
    return own.reduce((sum, value) => sum + value, 0) / own.length;
  });
  return [mean(time), axes.map(mean)];
}

// The natural cubic spline, its slopes limited at holes, held constant beyond the ends (spline.py).
function spline(time, values, at, holeS) {
  const n = time.length;
  if (n < 3) return interpolated(at, time, values);
  const width = time.subarray(1).map((moment, i) => moment - time[i]);
  const secant = width.map((step, i) => (values[i + 1] - values[i]) / step);
  const [upper, slope] = [new Float64Array(n), new Float64Array(n)]; // of a tridiagonal system, solved downwards and upwards
  for (let i = 0; i < n; i += 1) {
    const inner = i > 0 && i < n - 1;
    const [low, diagonal, high] = inner ? [width[i], 2 * (width[i - 1] + width[i]), width[i - 1]] : [i ? 1 : 0, 2, i ? 0 : 1];
    const right = 3 * (inner ? width[i] * secant[i - 1] + width[i - 1] * secant[i] : secant[i ? n - 2 : 0]);
    const pivot = diagonal - (i ? low * upper[i - 1] : 0);
    upper[i] = high / pivot;
    slope[i] = (right - (i ? low * slope[i - 1] : 0)) / pivot;
  }
  for (let i = n - 2; i >= 0; i -= 1) slope[i] -= upper[i] * slope[i + 1];
  width.forEach((step, i) => {
    if (step <= holeS) return;
    const limit = 3 * secant[i];
    for (const side of [i, i + 1]) slope[side] = slope[side] * limit > 0 ? Math.sign(limit) * Math.min(Math.abs(slope[side]), Math.abs(limit)) : 0;
  });
  return at.map((moment) => {
    const i = Math.min(Math.max(search(time, moment, true) - 1, 0), n - 2);
    const u = Math.min(Math.max((moment - time[i]) / width[i], 0), 1);
    const rest = 1 - u;
    return values[i] * (1 + 2 * u) * rest ** 2 + slope[i] * u * rest ** 2 * width[i] + values[i + 1] * u ** 2 * (3 - 2 * u) - slope[i + 1] * u ** 2 * rest * width[i];
  });
}

const bessel = (x) => { // I₀, by its series
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-16 * sum; k += 1) sum += term *= (x / (2 * k)) ** 2;
  return sum;
};

// Every factor-th value, without what is too fast for them (decimation.py).
function decimated(values, factor) {
  const [n, reach] = [values.length, REACH * factor];
  const taps = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => {
    const x = (i - reach) / factor;
    return (x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1) * bessel(KAISER_BETA * Math.sqrt(Math.max(0, 1 - ((i - reach) / reach) ** 2)));
  });
  const total = taps.reduce((sum, tap) => sum + tap, 0);
  const slope = (values[n - 1] - values[0]) / Math.max(n - 1, 1);
  const value = (i) => (i < 0 ? values[0] + slope * i : i >= n ? values[n - 1] + slope * (i - n + 1) : values[i]);
  return Float64Array.from({ length: Math.ceil(n / factor) }, (_, k) => taps.reduce((sum, tap, i) => sum + tap * value(k * factor + i - reach), 0) / total);
}

function resampled(sensor, { start, length }, rate) {
  const own = samplingRate(sensor.time_s);
  const factor = own > ANTI_ALIAS_FROM * rate && length >= 3 ? Math.ceil(own / rate) : 1;
  const at = Float64Array.from({ length: (length - 1) * factor + 1 }, (_, i) => start + i / (rate * factor));
  const first = search(sensor.time_s, at[0] - ON_TIME / rate);
  if (factor === 1 && at.every((moment, i) => Math.abs(sensor.time_s[first + i] - moment) <= ON_TIME / rate)) return sensor.axes.map((axis) => axis.subarray(first, first + length));
  const [time, axes] = apart(sensor.time_s, sensor.axes, CLOSEST / own);
  return axes.map((axis) => {
    const fine = spline(time, axis, at, HOLE / own);
    return factor > 1 ? decimated(fine, factor) : fine;
  });
}

// Windows of sensors: { starts_s, X }, X (n, n_timesteps, n_channels) in one Float32Array, NaN where a sensor is missing.
// `input` is that of an export's description; with `last`, only the newest window.
export function windowsOf(sensors, input, last = false) {
  const { sampling_rate_hz: rate, window_length_s: windowS, preparation } = input;
  const channels = input.channels.map(({ name }) => name);
  const [n, width] = [input.shape[0], channels.length];
  const usable = sensors.filter(({ time_s: time }) => time.length > 2 && samplingRate(time) * MAX_UPSAMPLING >= rate);
  if (!usable.length) throw new Error(`No sensor gives enough samples for ${rate} Hz.`);
  const ready = usable.map((sensor) => matched(sensor, input, samplingRate(sensor.time_s)));
  const running = ready.map(({ time_s: time }) => pieces(time, samplingRate(time), preparation.gap_s).map((ends) => ends.map((i) => time[i])));
  const [starts, blocks] = [[], []];
  for (const stretch of stretches(running, rate, windowS)) {
    const signal = new Map();
    ready.forEach((sensor, number) => {
      if (!stretch.present[number]) return;
      resampled(sensor, stretch, rate).forEach((axis, i) => signal.set(`${sensor.name}_${"xyz"[i]}`, preparation.low_pass_hz ? lowPassed(axis, rate, preparation.low_pass_hz, NOISE_ORDER) : axis));
    });
    for (let first = last ? stretch.length - n : 0; first >= 0 && first + n <= stretch.length; first += n) {
      const block = new Float32Array(n * width).fill(NaN);
      channels.forEach((channel, c) => signal.get(channel)?.subarray(first, first + n).forEach((value, t) => { block[t * width + c] = value; }));
      starts.push(stretch.start + first / rate);
      blocks.push(block);
    }
  }
  const from = last ? Math.max(blocks.length - 1, 0) : 0;
  const X = new Float32Array((blocks.length - from) * n * width);
  blocks.slice(from).forEach((block, i) => X.set(block, i * n * width));
  return { starts_s: starts.slice(from), X };
}
