import { showMoments } from "./lib/moments.js";

showMoments();
document.addEventListener("arrived", (event) => showMoments(event.target)); // a part of a page that a script has put there

// Ask before a change that cannot be taken back.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A change that takes longer than a moment says so until the next page is there. What sends a file stays on its page.
const working = document.getElementById("working");
let waiting = 0;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || "sendsFile" in form.dataset) return;
  waiting = setTimeout(() => { working.hidden = false; }, 300);
});
document.addEventListener("click", (event) => {
  if (event.target.closest?.("a[data-working]")) waiting = setTimeout(() => { working.hidden = false; }, 300);
});
window.addEventListener("pageshow", () => {
  clearTimeout(waiting);
  working.hidden = true;
});

// What the server writes of times of day, it writes in this browser's time zone.
const [name, secure] = location.protocol === "https:" ? ["__Host-tz", ";Secure"] : ["tz", ""];
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
document.cookie = `${name}=${zone};path=/;max-age=31536000;SameSite=Lax${secure}`;

// What is folded on a phone is open where there is room for it.
for (const details of document.querySelectorAll("details[data-open-when-wide]")) {
  details.open = window.matchMedia("(min-width: 992px)").matches;
}
