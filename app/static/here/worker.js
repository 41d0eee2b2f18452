// Recognises windows beside the page, so that it stays quick: a model (ONNX) in ONNX Runtime's WebAssembly. Nothing is sent.
import * as ort from "./onnxruntime/ort.wasm.bundle.min.mjs";
import { answerOf } from "./answers.js";
import { readCsv, windowsOf } from "./signal.js";

const BATCH = 32; // windows
ort.env.wasm.numThreads = 1;
let session = null;
let description = null;

const tasks = {
  async load({ model, runtime, description: own }) {
    if (runtime) ort.env.wasm.wasmBinary = runtime; // once; where it is not given, the file beside this one is fetched
    await session?.release();
    // Not optimised: that takes seconds, and makes a thousand small steps no faster
    session = await ort.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"], graphOptimizationLevel: "disabled" });
    description = own;
  },

  // Either the text of a file, or sensors { name, time_s, axes }, of which the newest window is wanted.
  async recognise({ text, sensors, last = false }, tell) {
    const { input, output } = description;
    const channels = input.channels.map(({ name }) => name);
    const { starts_s: starts, X } = windowsOf(sensors ?? readCsv(text, channels), input, last);
    const size = input.shape[0] * input.shape[1];
    const windows = [];
    for (let first = 0; first < starts.length; first += BATCH) {
      const n = Math.min(BATCH, starts.length - first);
      const asked = { windows: new ort.Tensor("float32", X.subarray(first * size, (first + n) * size), [n, ...input.shape]) };
      const { probabilities, unfamiliar } = await session.run(asked);
      for (let i = 0; i < n; i += 1) {
        const own = probabilities.data.slice(i * output.activities.length, (i + 1) * output.activities.length);
        const start = starts[first + i];
        windows.push({ start_s: start, end_s: start + input.window_length_s, probabilities: own, unfamiliar: unfamiliar.data[i] > 0.5, ...answerOf(own, output) });
      }
      tell((first + n) / starts.length);
    }
    return windows;
  },
};

self.onmessage = async ({ data: { id, task, ...asked } }) => {
  try {
    const result = await tasks[task](asked, (fraction) => self.postMessage({ id, fraction }));
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, error: error?.message ?? String(error) });
  }
};
