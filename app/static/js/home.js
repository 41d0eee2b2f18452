// The list of recordings: what is being read changes by itself, and ticks on all of a page at once.
import { poll } from "./lib/poll.js";

const section = document.getElementById("recordings")?.closest("section");
const list = () => document.getElementById("recording-list");
let stopWatching = () => {};

// What a person is about to do in the list is not lost: it waits until they have gone on.
function isInUse() {
  return section.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button, a");
}

// Only the list is replaced, so that the form above it keeps its files, and what it asks about them.
async function refresh() {
  const answer = await fetch(location.href.split("#")[0], { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("recordings")?.closest("section");
  if (!fresh) return;
  if (isInUse()) {
    section.addEventListener("focusout", () => setTimeout(refresh), { once: true });
    return;
  }
  const ticked = new Set([...section.querySelectorAll("tbody input:checked")].map((box) => box.value));
  const open = [...section.querySelectorAll("details[open]")].length > 0;
  section.replaceChildren(...fresh.childNodes);
  for (const box of section.querySelectorAll("tbody input[type=checkbox]")) box.checked = ticked.has(box.value);
  for (const details of section.querySelectorAll("details.filter-more")) details.open = open;
  section.dispatchEvent(new Event("arrived", { bubbles: true }));
  start();
}

// Look again when an upload that was being read no longer is.
function watchRunning() {
  const rows = [...list().querySelectorAll("[data-is-running]")];
  if (!rows.length) return;
  stopWatching = poll(list().dataset.running, ({ running }) => {
    const byId = new Map(running.map((one) => [String(one.id), one]));
    for (const row of rows) {
      const now = byId.get(row.dataset.attempt);
      const percent = now?.fraction ? `, ${Math.round(100 * now.fraction)} %` : "";
      if (now?.stage) row.querySelector(".stage").textContent = `${now.stage}${percent} …`;
    }
    if (rows.every((row) => byId.has(row.dataset.attempt))) return true;
    refresh();
    return false;
  });
}

function offerAll() {
  const boxes = [...list().querySelectorAll("tbody input[type=checkbox]")];
  if (boxes.length < 2) return;
  const all = document.createElement("input");
  Object.assign(all, { type: "checkbox", className: "form-check-input", ariaLabel: "Choose all on this page" });
  all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
  boxes.forEach((box) => box.addEventListener("change", () => { all.checked = boxes.every((one) => one.checked); }));
  list().querySelector("thead th").replaceChildren(all);
}

function start() {
  stopWatching();
  if (!list()) return;
  watchRunning();
  offerAll();
}

if (section) {
  start();
  document.addEventListener("uploads-changed", refresh);
}
