// A phone's browser as a device: its motion is sent once a second, in the form of Sensor Logger's HTTP push. After a hard
// movement it is sent twice as often, or this page would learn with the next message but one that it is to ask.
import { allowMotion, motionOf, noMotion } from "./lib/motion.js";

const EVERY_MS = 1000, SOON_MS = 500;
const HARD = 20, HARD_FOR_MS = 6000; // m/s² with gravity
const MOST_WAITING = 120; // batches: two minutes without a connection; the oldest goes first
const page = document.getElementById("phone");
const part = (id) => document.getElementById(id);
const write = (id, text) => { if (part(id).textContent !== text) part(id).textContent = text; };
const KEPT = "kinelab-device";

let token = decodeURIComponent(location.hash.slice(1)) || kept();
let run = null; // what goes on between Start and Stop

function kept() {
  try { return localStorage.getItem(KEPT) || ""; } catch { return ""; }
}
function keep(text) {
  try { if (text) localStorage.setItem(KEPT, text); else localStorage.removeItem(KEPT); } catch { /* this visit only */ }
}
if (location.hash) { // the token shall not stand in the address bar, nor in the history
  keep(token);
  history.replaceState(null, "", location.pathname);
}

function ready() {
  const missing = [
    [!token, "This phone is not connected. Open Live › Devices on another screen, add a device there, and scan its code with this phone."],
    [noMotion(), `${noMotion()} Or use the app Sensor Logger.`],
  ].find(([is]) => is);
  part("unready").hidden = !missing;
  write("unready", missing ? missing[1] : "");
  part("start").hidden = Boolean(missing) || run !== null;
  part("forget").hidden = !token;
}

function motion(event) {
  const ns = Math.round((performance.timeOrigin + (event.timeStamp || performance.now())) * 1e6);
  const { movement, whole, rotation } = motionOf(event);
  const add = (name, axes) => { const [x, y, z] = axes; run.samples.push({ name, time: ns, values: { x, y, z } }); };
  run.events += 1;
  if (whole && Math.hypot(...whole) > HARD) run.hard = performance.now();
  if (movement && whole) {
    add("accelerometer", movement);
    add("gravity", whole.map((value, i) => value - movement[i]));
  } else if (whole) add("totalacceleration", whole);
  if (rotation) add("gyroscope", rotation);
}

function ask(path, body) {
  return fetch(page.dataset.ingest + path, {
    method: "POST", credentials: "omit", cache: "no-store",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
}

function collect(last = false) {
  if (!run) return;
  const now = performance.now();
  if (!last && now - run.collected < 0.9 * EVERY_MS && now - run.hard > HARD_FOR_MS) return; // 0.9: timers come early, too
  run.hz = (1000 * run.events) / Math.max(now - run.collected, 1);
  [run.events, run.collected] = [0, now];
  if (run.samples.length) {
    run.silent = 0;
    const payload = run.samples;
    if (run.battery) payload.push({ name: "battery", time: Math.round((performance.timeOrigin + now) * 1e6), values: { batteryLevel: run.battery.level, batteryState: run.battery.charging ? "charging" : "unplugged" } });
    run.samples = [];
    run.waiting.push({ messageId: run.next, sessionId: run.session, deviceId: "browser", payload });
    run.next += 1;
    while (run.waiting.length > MOST_WAITING) { run.waiting.shift(); run.dropped += 1; }
  } else run.silent += 1;
  send();
}

// One batch at a time, in order; what was not taken is sent again under the same number.
async function send() {
  const mine = run;
  if (!mine || mine.sending || !mine.waiting.length || performance.now() < mine.wait) return show();
  mine.sending = true;
  try {
    const response = await ask("", mine.waiting[0]);
    const answer = await response.json().catch(() => ({}));
    if (response.ok) {
      mine.waiting.shift();
      mine.sent += 1;
      mine.trouble = "";
      mine.wait = performance.now() + 1000 * (answer.wait_s || 0);
      write("answer", answer.answer || "");
      showAlarm(answer.alarm);
    } else if (response.status === 401) {
      mine.trouble = "This phone's code is not valid any more. Connect it again on Live › Devices.";
      await stop(false);
      part("unready").hidden = false;
      write("unready", mine.trouble);
      return undefined;
    } else if (response.status === 429 || response.status === 503) {
      mine.trouble = "The server asks this phone to wait.";
      mine.wait = performance.now() + 1000 * (answer.wait_s || Number(response.headers.get("Retry-After")) || 5);
    } else {
      mine.waiting.shift(); // it will be refused again, whatever is wrong with it
      mine.dropped += 1;
      mine.trouble = answer.message || `The server refused a message (${response.status}).`;
    }
  } catch {
    mine.trouble = "No connection to the server; trying again. What was measured waits here.";
    mine.wait = performance.now() + 3000;
  } finally {
    mine.sending = false;
  }
  if (run === mine && mine.waiting.length && performance.now() >= mine.wait) setTimeout(send, 0);
  return show();
}

function show() {
  if (!run) return;
  const minutes = Math.floor((performance.now() - run.began) / 60000);
  const rows = [["Rate", `${Math.round(run.hz)} Hz`], ["Sent", String(run.sent)], ["Waiting", String(run.waiting.length)], ["Lost", String(run.dropped)], ["Running", `${minutes} min`]];
  if (run.battery) rows.push(["Battery", `${Math.round(100 * run.battery.level)} %`]);
  part("health").replaceChildren(...rows.map(([label, value]) => {
    const row = document.createElement("div");
    const [term, definition] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, definition.textContent] = [label, value];
    row.append(term, definition);
    return row;
  }));
  const awake = run.awake ? "" : " The screen may go off, which ends the measuring: switch off its timeout.";
  write("state", run.trouble || (run.silent > 3 ? "The browser gives no motion. Is it allowed for this site?" : `Sending. Leave this page open.${awake}`));
}

let sound = null;
let shown = null; // the alarm on the screen
let counting = 0;
function beep() {
  if (!sound) return;
  const [tone, volume] = [sound.createOscillator(), sound.createGain()];
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.5, sound.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + 0.5);
  tone.connect(volume).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + 0.5);
}

const COUNTING = ["observed", "pre-alarm", "noticed again"];
function showAlarm(alarm) {
  if (!alarm || !COUNTING.includes(alarm.state)) {
    part("alarm").hidden = true;
    clearInterval(counting);
    [counting, shown] = [0, null];
    if (alarm) write("answer", "Those who care for you are told");
    return;
  }
  const appears = shown === null;
  shown = alarm;
  write("alarm-title", alarm.kind === "fall" ? "Did you fall?" : "Are you all right?");
  write("alarm-text", alarm.state === "observed" ? "Kinelab felt a hard impact and watches what comes next." : "If you do nothing, those who care for you are told.");
  part("alarm").hidden = false;
  if (appears) part("fine").focus();
  if (counting) return;
  const tick = () => {
    const now = Date.now() / 1000;
    write("alarm-count", shown.due_s && shown.state !== "observed" ? String(Math.max(0, Math.ceil(shown.due_s - now))) : "");
    if (shown.state !== "observed" && now >= (shown.loud_s ?? 0)) { beep(); navigator.vibrate?.(300); }
  };
  tick();
  counting = setInterval(tick, 1000);
}

part("fine").addEventListener("click", async () => {
  part("fine").disabled = true;
  try {
    const response = await ask("/fine", {});
    if (response.ok) showAlarm(null);
    else write("alarm-text", "This could not be sent. Press again.");
  } catch {
    write("alarm-text", "No connection. Press again.");
  } finally {
    part("fine").disabled = false;
  }
});

async function stayAwake() {
  if (run && document.visibilityState === "visible") run.awake = await navigator.wakeLock?.request("screen").catch(() => null) ?? null;
}

async function start() {
  try {
    await allowMotion();
  } catch (error) {
    part("unready").hidden = false;
    write("unready", error.message);
    return;
  }
  sound ??= window.AudioContext ? new AudioContext() : null;
  sound?.resume();
  run = {
    session: crypto.randomUUID(), next: 0, samples: [], waiting: [], events: 0, hz: 0, collected: performance.now(), hard: -Infinity, began: performance.now(),
    sent: 0, dropped: 0, silent: 0, sending: false, wait: 0, trouble: "", awake: null, battery: await navigator.getBattery?.().catch(() => null) ?? null,
  };
  window.addEventListener("devicemotion", motion);
  run.timer = setInterval(() => collect(), SOON_MS);
  [part("start").hidden, part("stop").hidden, part("health").hidden, part("unready").hidden] = [true, false, false, true];
  await stayAwake();
  show();
}

async function stop(tell = true) {
  const ended = run;
  if (!ended) return;
  window.removeEventListener("devicemotion", motion);
  clearInterval(ended.timer);
  collect(true);
  run = null;
  ended.awake?.release?.();
  [part("stop").hidden, part("health").hidden] = [true, true];
  write("answer", "");
  write("state", tell ? "Sending the last seconds." : "Stopped."); // who leaves the page now would take them along
  ready();
  if (!tell) return;
  for (const batch of ended.waiting) if (!(await ask("", batch).catch(() => null))?.ok) break;
  const said = await ask("/end", { sessionId: ended.session }).catch(() => null);
  if (run) return; // started again meanwhile
  write("state", said?.ok ? "Stopped." : "Stopped. The server could not be told; the stream ends there by itself.");
}

part("start").addEventListener("click", start);
part("stop").addEventListener("click", () => stop());
part("forget").addEventListener("click", async () => {
  await stop();
  keep("");
  token = "";
  ready();
});
document.addEventListener("visibilitychange", stayAwake); // a lock ends when the page is hidden
ready();
