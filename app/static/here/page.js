// A model on this phone alone: fetched once, kept here with this page, and run in the browser. What is measured stays here.
import { allowMotion, motionOf, noMotion } from "/static/js/lib/motion.js";
import { showProgress } from "/static/js/lib/progress_bar.js";
import { Recogniser } from "./recogniser.js";

const KEPT = "kinelab-here"; // of the Cache API, see service_worker.js
const HOP_MS = 1000, REMEMBERED_S = 20, BAND_S = 300;
const MOST_ROWS = 500;
const MOST_BYTES = 64 * 2 ** 20; // of a file: a script holds it several times over
const UNFAMILIAR = "Unfamiliar";
const page = document.getElementById("here");
const part = (id) => document.getElementById(id);
const write = (id, text) => { if (part(id).textContent !== text) part(id).textContent = text; };
const percent = (share) => `${Math.round(100 * share)} %`;
const recogniser = new Recogniser();
const cache = window.caches ? await caches.open(KEPT).catch(() => null) : null;
let models = [];
let model = null; // that is loaded
let run = null; // what goes on between Start and Stop

function say(text, kind = "info") {
  write("state", text);
  part("state").dataset.kind = kind;
}

// From the server; from what is kept here where it does not answer, or no longer knows who asks.
async function get(address, { once = false } = {}) {
  const kept = await cache?.match(address, { ignoreVary: true });
  if (once && kept) return kept;
  try {
    const response = await fetch(address, { headers: { Accept: "application/json" } });
    if (response.ok && cache) await cache.put(address, response.clone()).catch(() => {}); // no room: this visit only
    return response.ok || !kept ? response : kept;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}

async function findModels() {
  const response = await get(page.dataset.models);
  part("log-in").hidden = response.status !== 401;
  if (response.status === 401) return say("Log in once, to fetch a model. From then on this page works without the server.", "login");
  if (!response.ok) return say((await response.json().catch(() => ({}))).message ?? "The server does not give its models.", "error");
  models = await response.json();
  if (!models.length) return say("No model is ready for browsers yet. An administrator makes one on the model's page: Take it along, Browser.", "empty");
  part("model").replaceChildren(...models.map(({ label }, i) => new Option(label, i)));
  part("model-row").hidden = models.length < 2;
  return load(models[0]);
}

let runtime = null;
async function load(wanted) {
  say(`Fetching ${wanted.label} …`, "working");
  usable(false);
  runtime ??= await (await get(page.dataset.runtime, { once: true })).arrayBuffer();
  const response = await get(wanted.address, { once: true });
  if (!response.ok) throw new Error("The model could not be fetched. Load this page again.");
  await recogniser.ask("load", { model: await response.arrayBuffer(), runtime, description: wanted.description });
  model = wanted;
  const offline = await keep().catch(() => false);
  say(offline ? `${model.label} is on this device. This page works without a network.` : `${model.label} is ready, as long as this page stays open.`, "ready");
  const { input, output } = model.description;
  write("knows", `It knows ${output.activities.join(", ")}. It reads ${input.channels.map(({ name }) => name).join(", ")} at ${input.sampling_rate_hz} Hz, ${input.gravity === "included" ? "with" : "without"} gravity.`);
  usable(true);
}

// All that this page is made of, for when there is no network; the page itself as nobody in particular sees it.
async function keep() {
  if (!cache || !navigator.serviceWorker) return false;
  await navigator.serviceWorker.register("service_worker.js");
  const own = performance.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.startsWith(location.origin + "/static/") || name.startsWith(location.origin + "/bootstrap/"));
  await Promise.all([...new Set(own), ...JSON.parse(page.dataset.files)].map(async (address) => cache.put(address, await fetched(address))));
  await cache.put(location.pathname, await fetched(location.pathname, { credentials: "omit" }));
  const wanted = new Set(models.map(({ address }) => new URL(address, location).href));
  for (const { url } of await cache.keys()) if (url.includes(".onnx") && !wanted.has(url)) await cache.delete(url);
  if (model.example) await get(model.example, { once: true });
  navigator.storage?.persist?.();
  return true;
}

async function fetched(address, options) {
  const response = await fetch(address, options).catch(() => null) ?? await cache.match(address, { ignoreVary: true });
  if (!response?.ok) throw new Error(address);
  return response;
}

function usable(is) {
  const several = model?.description.input.channels.some(({ name }) => name.includes("."));
  const no = several ? "This model reads several devices together; a phone is one. Choose another, or a file." : noMotion();
  write("no-motion", no);
  part("start").disabled = !is || Boolean(no);
  part("file").disabled = part("example").disabled = !is;
  part("example").hidden = !model?.example;
}

async function recogniseText(name, text) {
  const bar = part("progress");
  bar.hidden = false;
  showProgress(bar, 0);
  part("result").hidden = true;
  write("trouble", "");
  usable(false);
  try {
    const began = performance.now();
    const windows = await recogniser.ask("recognise", { text }, (fraction) => showProgress(bar, fraction));
    if (!windows.length) throw new Error(`${name} holds no ${model.description.input.window_length_s} s without a gap.`);
    showResult(name, windows, performance.now() - began);
  } catch (error) {
    write("trouble", error.message);
  } finally {
    bar.hidden = true;
    usable(true);
  }
}

const colourOf = (name) => model.colours[name] ?? "transparent";
const answerOf = (window) => (window.unfamiliar ? UNFAMILIAR : window.answer);
const says = (window) => !window.unfamiliar && window.answer !== model.description.output.tree.at(-1).name; // more than that it is uncertain

function element(tag, content, styles = {}) {
  const made = document.createElement(tag);
  made.append(...[content].flat());
  Object.assign(made.style, styles);
  return made;
}

function band(windows, from, to) {
  return windows.map((window) => element("i", [], {
    left: `${(100 * (window.start_s - from)) / (to - from)}%`, width: `${(100 * (window.end_s - window.start_s)) / (to - from)}%`, backgroundColor: colourOf(answerOf(window)),
  }));
}

function chip(name) {
  const dot = element("span", [], { backgroundColor: colourOf(name) });
  dot.className = "activity-dot";
  const made = element("span", [dot, name]);
  made.className = "activity-chip";
  return made;
}

function showResult(name, windows, tookMs) {
  const totals = new Map();
  for (const window of windows) totals.set(answerOf(window), (totals.get(answerOf(window)) ?? 0) + window.end_s - window.start_s);
  const [from, to] = [windows[0].start_s, windows.at(-1).end_s];
  write("result-title", name);
  write("took", `${windows.length} windows in ${(tookMs / 1000).toFixed(1)} s, on this device`);
  part("band").setAttribute("aria-label", [...totals].map(([answer, s]) => `${answer} ${Math.round(s)} s`).join(", "));
  part("band").replaceChildren(...band(windows, from, to));
  part("totals").replaceChildren(...[...totals].sort((a, b) => b[1] - a[1]).map(([answer, s]) => element("li", [chip(answer), ` ${Math.round(s)} s`])));
  part("rows").replaceChildren(...windows.slice(0, MOST_ROWS).map((window) => element("tr", [
    element("td", `${window.start_s.toFixed(1)} s`), element("td", chip(answerOf(window))), element("td", says(window) ? percent(window.probability) : "–"),
  ])));
  write("more", windows.length > MOST_ROWS ? `The first ${MOST_ROWS} of ${windows.length}.` : "");
  part("result").hidden = false;
  document.dispatchEvent(new CustomEvent("recognised", { detail: windows }));
}

function motion(event) {
  const { movement, whole, rotation } = motionOf(event);
  const time = event.timeStamp / 1000;
  const free = model.description.input.gravity === "removed" && movement;
  for (const [name, axes] of [["acc", free || whole], ["gyro", rotation]]) {
    const own = run.sensors.get(name);
    if (!axes || (own.time.length && time <= own.time.at(-1))) continue;
    own.time.push(time);
    own.axes.forEach((axis, i) => axis.push(axes[i]));
    if (name === "acc") own.gravity = !free;
  }
}

async function hop() {
  const mine = run;
  if (!mine || mine.asking) return;
  for (const own of mine.sensors.values()) {
    const old = own.time.findIndex((time) => time > own.time.at(-1) - REMEMBERED_S);
    if (old > 0) [own.time, ...own.axes].forEach((list) => list.splice(0, old));
  }
  const sensors = [...mine.sensors].filter(([, own]) => own.time.length > 2).map(([name, own]) => ({ name, gravity: own.gravity, time_s: Float64Array.from(own.time), axes: own.axes.map((axis) => Float64Array.from(axis)) }));
  if (!sensors.length) {
    if (performance.now() - mine.began > 3000) write("trouble", "The browser gives no motion. Is it allowed for this site?");
    return write("now", "Listening …");
  }
  write("trouble", "");
  mine.asking = true;
  try {
    const [window] = await recogniser.ask("recognise", { sensors, last: true });
    if (run !== mine) return;
    if (!window) return write("now", "Listening …");
    write("now", answerOf(window));
    write("sure", window.unfamiliar ? "unlike anything that the model was trained on" : says(window) ? `${percent(window.probability)} sure` : "nothing is probable enough");
    mine.windows.push({ ...window, start_s: Math.max(mine.windows.at(-1)?.end_s ?? window.start_s, window.start_s) });
    while (mine.windows[0].end_s < window.end_s - BAND_S) mine.windows.shift();
    part("now-band").replaceChildren(...band(mine.windows, window.end_s - BAND_S, window.end_s));
  } catch (error) {
    write("trouble", error.message);
    stop();
  } finally {
    mine.asking = false;
  }
}

async function start() {
  write("trouble", "");
  try {
    await allowMotion();
  } catch (error) {
    return write("trouble", error.message);
  }
  run = { began: performance.now(), windows: [], asking: false, sensors: new Map(["acc", "gyro"].map((name) => [name, { time: [], axes: [[], [], []] }])) };
  run.awake = await navigator.wakeLock?.request("screen").catch(() => null);
  window.addEventListener("devicemotion", motion);
  run.timer = setInterval(hop, HOP_MS);
  [part("start").hidden, part("stop").hidden, part("live").hidden] = [true, false, false];
  part("file").disabled = part("example").disabled = part("model").disabled = true;
  return write("now", "Listening …");
}

function stop() {
  window.removeEventListener("devicemotion", motion);
  clearInterval(run?.timer);
  run?.awake?.release?.();
  run = null;
  [part("start").hidden, part("stop").hidden] = [false, true];
  part("model").disabled = false;
  write("now", "Stopped");
  write("sure", "");
  usable(true);
}

const failed = (error) => say(navigator.onLine === false ? "There is no network, and nothing is kept on this device yet. Open this page once with a network." : error.message, "error");

part("model").addEventListener("change", ({ target }) => load(models[target.value]).catch(failed));
part("start").addEventListener("click", start);
part("stop").addEventListener("click", stop);
part("file").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  if (file?.size > MOST_BYTES) write("trouble", `${file.name} is larger than ${MOST_BYTES / 2 ** 20} MB. Upload it to Kinelab instead.`);
  else if (file) await recogniseText(file.name, await file.text());
  target.value = "";
});
part("example").addEventListener("click", async () => {
  const response = await get(model.example, { once: true }).catch(() => null);
  if (response?.ok) await recogniseText("The example", await response.text());
  else write("trouble", "The example could not be fetched: it is not kept here, or an administrator has removed it.");
});
part("forget").addEventListener("click", async () => {
  await caches?.delete(KEPT);
  for (const registration of await navigator.serviceWorker?.getRegistrations() ?? []) if (registration.scope === new URL("./", location).href) await registration.unregister();
  location.href = "/live/";
});
usable(false);
findModels().catch(failed);
