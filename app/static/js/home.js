// The list of recordings: what is being read changes by itself, and ticks on all of a page at once.
import { poll } from "./lib/poll.js";

const list = document.getElementById("recording-list");

// Reading the page again would lose what a person is about to do.
function isInUse() {
  const file = document.querySelector("#upload-form input[type=file]");
  return document.body.dataset.sending || file?.value || document.activeElement?.matches("input, select, textarea");
}

// Read again when an upload that was being read no longer is.
function watchRunning() {
  const rows = [...list.querySelectorAll("[data-is-running]")];
  if (!rows.length) return;
  poll(list.dataset.running, ({ running }) => {
    const byId = new Map(running.map((one) => [String(one.id), one]));
    for (const row of rows) {
      const now = byId.get(row.dataset.attempt);
      const percent = now?.fraction ? `, ${Math.round(100 * now.fraction)} %` : "";
      if (now?.stage) row.querySelector(".stage").textContent = `${now.stage}${percent} …`;
    }
    const ended = rows.some((row) => !byId.has(row.dataset.attempt));
    if (ended && !isInUse()) {
      location.reload();
      return false;
    }
    return true;
  });
}

function offerAll() {
  const boxes = [...list.querySelectorAll("tbody input[type=checkbox]")];
  if (boxes.length < 2) return;
  const all = document.createElement("input");
  Object.assign(all, { type: "checkbox", className: "form-check-input", ariaLabel: "Choose all on this page" });
  all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
  boxes.forEach((box) => box.addEventListener("change", () => { all.checked = boxes.every((one) => one.checked); }));
  list.querySelector("thead th").replaceChildren(all);
}

if (list) {
  watchRunning();
  offerAll();
}
