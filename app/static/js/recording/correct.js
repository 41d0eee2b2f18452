// Correct a recording: which parts, what they were; and the page as it is after that, without loading it anew.
import { showBars } from "./bars.js";

const HERE = /\/(corrections|undo|personal)$/; // changes after which the page stays where it is

export function correctable(timeline) {
  const section = document.querySelector(".corrections");
  if (!section) return;
  const form = section.querySelector("#correct-form");
  const list = form.querySelector("#stretches");
  const status = form.querySelector("#correct-status");
  const template = list.querySelector("li").cloneNode(true);
  for (const hidden of form.querySelectorAll("[data-needs-script], #add-stretch, #add-view, [data-remove-stretch]")) hidden.hidden = false;
  template.querySelector("[data-remove-stretch]").hidden = false;
  for (const input of template.querySelectorAll("input")) input.removeAttribute("value");
  const chosen = new Map(); // rows that were chosen in the plot or the list, with their moments in seconds

  const write = writer(form.dataset);
  const mark = () => timeline.mark([...chosen.values()]);
  const isEmpty = (row) => [...row.querySelectorAll("input")].every((input) => !input.value);

  function add(range) { // a part that is there already stays: a touch may come as a click, too
    if (range && [...chosen.values()].some(([from, to]) => from === range[0] && to === range[1])) return undefined;
    let row = [...list.children].find(isEmpty);
    if (!row) { row = template.cloneNode(true); list.append(row); }
    if (range) {
      const [from, to] = row.querySelectorAll("input");
      [from.value, to.value] = range.map(write);
      chosen.set(row, range);
      mark();
    }
    return row;
  }

  function remove(row) {
    chosen.delete(row);
    if (list.children.length > 1) row.remove();
    else for (const input of row.querySelectorAll("input")) input.value = "";
    mark();
  }

  function clear() {
    for (const row of [...list.children]) remove(row);
    form.reset();
    for (const input of list.querySelectorAll("input")) input.value = "";
  }

  timeline.onSelect((range) => {
    add(range);
    status.textContent = "Now say below what it was.";
  });
  form.querySelector("#add-stretch").addEventListener("click", () => add(null).querySelector("input").focus());
  form.querySelector("#add-view").addEventListener("click", () => add(timeline.view()));
  list.addEventListener("click", (event) => {
    if (event.target.closest("[data-remove-stretch]")) remove(event.target.closest("li"));
  });
  list.addEventListener("input", (event) => { chosen.delete(event.target.closest("li")); mark(); });
  form.other.addEventListener("input", () => { // one of the two
    if (form.other.value) for (const choice of form.querySelectorAll("[name=activity]")) choice.checked = false;
  });
  form.addEventListener("change", (event) => { if (event.target.name === "activity") form.other.value = ""; });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-correct]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    add(link.dataset.correct.split(",").map(Number));
    const title = document.getElementById("corrections-title");
    title.scrollIntoView();
    title.focus({ preventScroll: true });
    status.textContent = "";
  });

  section.addEventListener("submit", async (event) => {
    if (!HERE.test(new URL(event.target.action).pathname)) return;
    event.preventDefault();
    const sent = event.target;
    const button = sent.querySelector("[type=submit]");
    button.disabled = true;
    try {
      const response = await fetch(sent.action, { method: "POST", body: new FormData(sent), headers: { Accept: "application/json" } });
      if (response.status === 401) return location.reload();
      const answer = await response.json();
      status.textContent = answer.message;
      status.classList.toggle("text-danger", !response.ok);
      if (!response.ok) {
        if ([404, 409].includes(response.status)) { await timeline.redraw(); await follow(); } // another window changed it
        return undefined;
      }
      const redrawn = timeline.redraw(); // the server is asked before the marks are taken away, which draws all anew
      if (sent === form) clear();
      await redrawn;
      await follow();
    } catch {
      status.textContent = "The server did not answer. Try again.";
    } finally {
      button.disabled = false;
    }
    return undefined;
  });
}

// Put what the server says of the recording now in the place of what it said before.
async function follow() {
  const text = await (await fetch(location.href, { headers: { Accept: "text/html" } })).text();
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-follows]")) {
    const other = page.getElementById(part.id);
    if (!other) continue;
    part.replaceWith(other);
    other.dispatchEvent(new CustomEvent("arrived", { bubbles: true }));
    other.querySelectorAll("[data-chart]").forEach(showBars);
  }
}

// Write a moment of the recording as the server reads it: by the clock on the wall where that is known, else since its start.
function writer({ origin, begin, zone, days }) {
  const seconds = (value) => value.toFixed(3).replace(/\.?0+$/, "");
  if (!origin) {
    return (moment) => {
      const whole = Math.round(1000 * Math.max(0, moment - Number(begin))) / 1000;
      const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
      return `${hours}:${String(minutes).padStart(2, "0")}:${seconds(whole % 60).replace(/^\d(?!\d)/, "0$&")}`;
    };
  }
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone, hourCycle: "h23", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
  });
  return (moment) => {
    const parts = Object.fromEntries(format.formatToParts(1000 * (Number(origin) + moment)).map(({ type, value }) => [type, value]));
    const time = `${parts.hour}:${parts.minute}:${parts.second}.${parts.fractionalSecond}`.replace(/\.?0+$/, (zeros) => (zeros.startsWith(".") ? "" : zeros));
    return days ? `${parts.day} ${parts.month.slice(0, 3)} ${time}` : time;
  };
}
