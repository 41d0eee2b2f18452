// What the people who agreed are doing now. Whoever joins or leaves, and each alarm, is a page of its own: it is loaded anew.
import { follow } from "./lib/events.js";

const QUIET_S = 30; // the device is told of every ten seconds, if it is heard
const list = document.getElementById("people");
const following = document.getElementById("following");
const cards = new Map([...list.children].map((card) => [Number(card.dataset.person), { card, heard: 0, state: null }]));

function show({ id, connected, answer, open, colour, since_s: since, quiet_s: quiet }) {
  const entry = cards.get(id);
  if (!entry) return;
  Object.assign(entry, { heard: performance.now() - 1000 * quiet, state: { connected, answer } });
  const { card } = entry;
  const swatch = card.querySelector(".person-swatch");
  swatch.hidden = !(connected && answer);
  swatch.style.backgroundColor = colour || "";
  card.querySelector(".person-word").textContent = !connected ? "No device is connected" : answer ? answer + (open ? ` (${open})` : "") : "Listening …";
  card.toggleAttribute("data-absent", !connected);
  card.removeAttribute("data-quiet");
  card.querySelector(".person-since").textContent = connected && answer ? `since ${new Date(1000 * since).toLocaleTimeString("en-GB", { timeStyle: "short" })}` : "";
}

function tellQuiet() {
  for (const { card, heard, state } of cards.values()) {
    const quiet = (performance.now() - heard) / 1000;
    if (!state?.connected || quiet < QUIET_S) continue;
    card.toggleAttribute("data-quiet", true);
    card.querySelector(".person-since").textContent = `Nothing was heard for ${quiet < 90 ? `${Math.round(quiet)} s` : `${Math.round(quiet / 60)} min`}: this was before.`;
  }
}
setInterval(tellQuiet, 5000);

follow(list.dataset.events, {
  state: ({ people, alarms }) => {
    const isOther = people.length !== cards.size || people.some(({ id }) => !cards.has(id));
    if (isOther || JSON.stringify(alarms) !== JSON.stringify(JSON.parse(list.dataset.stand))) location.reload();
    else people.forEach(show);
    tellQuiet();
  },
  person: show,
  people: () => location.reload(),
  alarm: () => location.reload(),
}, (state, words) => {
  following.dataset.state = state;
  following.textContent = words;
});
