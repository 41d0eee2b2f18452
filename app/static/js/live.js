// What a person's devices say now: one panel a stream, kept up to date by server-sent events.
import { follow } from "./lib/events.js";

const BAND_S = 300;
const QUIET_S = 8; // without a batch, what is shown is no longer now
const REFERENCES = { "this recording": " · measured against your walking in this stream", "known walking": " · measured against your known walking" };
const streams = document.getElementById("streams");
const silent = document.getElementById("silent");
const connection = document.getElementById("connection");
const alarm = document.getElementById("alarm");
const places = JSON.parse(streams.dataset.places);
const panels = new Map(); // session -> { root, windows: Map(start_s -> window), heard, ahead }

const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const percent = (share) => `${Math.round(100 * share)} %`;

function panelOf({ session, device, place, started_s: started }) {
  if (panels.has(session)) return panels.get(session);
  const root = document.getElementById("stream").content.firstElementChild.cloneNode(true);
  root.querySelector(".stream-device").id = `stream-${session}`;
  root.setAttribute("aria-labelledby", `stream-${session}`);
  const form = root.querySelector(".stream-end");
  form.action = streams.dataset.end.replace("/0/", `/${session}/`);
  form.elements.csrf_token.value = streams.dataset.csrf;
  const panel = { root, windows: new Map(), heard: performance.now(), ahead: 0 };
  panels.set(session, panel);
  streams.append(root);
  name(panel, device, place, started);
  return panel;
}

function name(panel, device, place, started) {
  const { root } = panel;
  if (device) write(root.querySelector(".stream-device"), device);
  if (started) write(root.querySelector(".stream-since"), `${places[place] ? `${places[place]}, ` : ""}since ${new Date(1000 * started).toLocaleTimeString("en-GB", { timeStyle: "short" })}`);
}

function take(panel, windows) {
  for (const window of windows) panel.windows.set(window.start_s, window);
  const newest = Math.max(...panel.windows.keys());
  for (const start of panel.windows.keys()) if (start < newest - BAND_S) panel.windows.delete(start);
  draw(panel);
}

function draw(panel) {
  const { root } = panel;
  const windows = [...panel.windows.values()].sort((a, b) => a.start_s - b.start_s);
  const last = windows.at(-1);
  if (!last) {
    write(root.querySelector(".stream-word"), "Listening …");
    return;
  }
  write(root.querySelector(".stream-word"), last.answer + (last.open ? ` (${last.open})` : ""));
  root.querySelector(".stream-swatch").style.backgroundColor = last.colour;
  const guess = last.activity && last.activity !== last.answer ? ` · likeliest: ${last.activity}` : "";
  write(root.querySelector(".stream-sure"), last.unworn || last.unfamiliar ? "" : `${percent(last.confidence)} sure${guess}${REFERENCES[last.reference] ?? ""}${last.by_height ? " · by air pressure" : ""}`);
  const end = last.end_s;
  const bands = [];
  windows.forEach((window, i) => { // windows overlap: each is shown until the next begins
    const until = Math.min(windows[i + 1]?.start_s ?? window.end_s, window.end_s);
    const before = bands.at(-1);
    if (before && before.answer === window.answer && window.start_s - before.until < 0.5) before.until = until;
    else bands.push({ answer: window.answer, colour: window.colour, from: window.start_s, until });
  });
  const band = root.querySelector(".stream-band");
  band.replaceChildren(...bands.filter(({ until }) => until > end - BAND_S).map(({ answer, colour, from, until }) => {
    const piece = document.createElement("i");
    const left = Math.max(0, 1 - (end - from) / BAND_S);
    piece.style.left = `${100 * left}%`;
    piece.style.width = `${100 * (1 - (end - until) / BAND_S - left) + 0.05}%`;
    piece.style.backgroundColor = colour;
    piece.title = answer;
    return piece;
  }));
  const seconds = new Map();
  for (const { answer, colour, from, until } of bands) seconds.set(answer, { colour, seconds: (seconds.get(answer)?.seconds ?? 0) + until - from });
  const told = [...seconds].sort((a, b) => b[1].seconds - a[1].seconds);
  const lasting = (s) => (s < 60 ? `${Math.round(s)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`);
  band.setAttribute("aria-label", `The last minutes: ${told.map(([answer, one]) => `${answer} ${lasting(one.seconds)}`).join(", ")}`);
  root.querySelector(".stream-legend").replaceChildren(...told.map(([answer, one]) => {
    const item = document.createElement("li");
    item.className = "activity-chip";
    const dot = document.createElement("span");
    dot.className = "activity-dot";
    dot.style.backgroundColor = one.colour;
    item.append(dot, `${answer}, ${lasting(one.seconds)}`);
    return item;
  }));
}

function showHealth(panel, health) {
  const { root } = panel;
  panel.heard = performance.now();
  const rows = [];
  for (const [sensor, hz] of Object.entries(health.rate_hz ?? {})) rows.push([sensor[0].toUpperCase() + sensor.slice(1).replaceAll("_", " "), `${Math.round(hz)} Hz`]);
  const total = (health.received ?? 0) + (health.lost ?? 0);
  if (total) rows.push(["Lost", health.lost ? `${health.lost} of ${total} messages` : "none"]);
  if (health.doubled) rows.push(["Sent twice", String(health.doubled)]);
  if (health.late) rows.push(["Too late", String(health.late)]);
  if (health.battery !== null && health.battery !== undefined) rows.push(["Battery", percent(health.battery)]);
  const delay = health.delay_s ?? 0; // by the device's clock, which may be wrong
  if (delay < -1) rows.push(["Its clock", `${Math.round(-delay)} s ahead`]);
  else if (health.delay_s !== null && health.delay_s !== undefined) rows.push(["Delay", `${Math.max(delay, 0).toFixed(1)} s`]);
  const list = root.querySelector(".stream-health");
  list.replaceChildren(...rows.map(([label, value]) => {
    const row = document.createElement("div");
    const [term, definition] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, definition.textContent] = [label, value];
    row.append(term, definition);
    return row;
  }));
  panel.message = health.message ?? "";
  showMessage(panel);
}

function showMessage(panel) {
  const quiet = (performance.now() - panel.heard) / 1000;
  panel.root.toggleAttribute("data-quiet", quiet > QUIET_S);
  const message = panel.root.querySelector(".stream-message");
  const text = quiet > QUIET_S ? `The device has sent nothing for ${Math.round(quiet)} s. What is shown was seen before that.` : panel.message || "";
  write(message, text);
  message.hidden = !text;
}

const alarms = new Map(); // those that are not closed, by number
function showAlarm(data) {
  if (data.state === "closed") alarms.delete(data.id); else alarms.set(data.id, data);
  alarm.replaceChildren(...[...alarms.values()].map(({ id, kind, title, words: state }) => {
    const box = document.createElement("div");
    box.className = kind === "silent" ? "alert alert-warning" : "alert alert-danger";
    const link = document.createElement("a");
    link.className = "alert-link";
    link.href = `${streams.dataset.alarms}${id}`;
    link.textContent = title;
    box.append(link, `: ${state}`);
    return box;
  }));
}

function showEmpty() {
  silent.hidden = panels.size > 0;
}

function end(session) {
  panels.get(session)?.root.remove();
  panels.delete(session);
  showEmpty();
}

const takers = {
  state({ sessions, alarms: open = [] }) {
    const running = new Set(sessions.map(({ session }) => session));
    for (const session of [...panels.keys()]) if (!running.has(session)) end(session);
    for (const one of sessions) {
      const panel = panelOf(one);
      name(panel, one.device, one.place, one.started_s);
      panel.windows.clear();
      if (one.windows?.length) take(panel, one.windows); else draw(panel);
      if (one.health) showHealth(panel, one.health);
    }
    alarms.clear();
    alarm.replaceChildren();
    open.forEach(showAlarm);
    showEmpty();
  },
  window(data) {
    const panel = panelOf(data);
    panel.heard = performance.now();
    take(panel, data.windows ?? [data]);
    showMessage(panel);
    showEmpty();
  },
  device(data) {
    const panel = panelOf(data);
    name(panel, data.device, data.place, data.started_s);
    showHealth(panel, data);
    showEmpty();
  },
  alarm: showAlarm,
  ended({ session }) {
    end(session);
    location.reload(); // it is in the list of those that have ended
  },
};

follow(streams.dataset.events, takers, (state, words) => {
  connection.dataset.state = state;
  write(connection, words);
});
setInterval(() => panels.forEach(showMessage), 1000);
