// Alarms that are open: a page loads itself anew when one of them changes, and counts down without trusting its clock.
import { follow } from "./lib/events.js";

const page = document.querySelector("[data-alarm-events]");
const one = page.dataset.alarm ? Number(page.dataset.alarm) : null;

// The answer to what was pressed here is on its way: loading this page anew would lose what it says
let leaving = false;
document.addEventListener("submit", (event) => { leaving = !event.defaultPrevented; });

function reload() {
  if (leaving) return;
  const note = document.getElementById("why");
  if (!note?.value) location.reload();
  else document.querySelector(".alarm-state").textContent = "This alarm has changed meanwhile. Load the page to see how it stands.";
}

follow(page.dataset.alarmEvents, {
  alarm: ({ id, state, times }) => {
    if (one === null || (id === one && `${state}/${times}` !== page.dataset.stand)) reload();
  },
  state: ({ alarms }) => { // of all that are open: what happened while nobody listened
    if (one === null) {
      if (JSON.stringify(alarms) !== JSON.stringify(JSON.parse(page.dataset.stand))) reload();
      return;
    }
    const now = alarms.find(([id]) => id === one);
    const stands = now ? `${now[1]}/${now[2]}` : "closed";
    if (stands !== page.dataset.stand && !(stands === "closed" && page.dataset.stand.startsWith("closed"))) reload();
  },
});

const countdown = document.querySelector(".countdown");
if (countdown) {
  const began = performance.now();
  const figure = countdown.querySelector(".countdown-figure");
  const end = countdown.querySelector(".countdown-end");
  end.textContent = new Date(end.dateTime).toLocaleTimeString("en-GB");
  const show = () => {
    const passed = (performance.now() - began) / 1000;
    const left = Math.max(0, Math.ceil(Number(countdown.dataset.left) - passed));
    figure.textContent = left < 100 ? String(left) : `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    countdown.toggleAttribute("data-is-loud", passed >= Number(countdown.dataset.loud));
    if (left) setTimeout(show, 250);
  };
  show();
}
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
