// A form that describes files: after each change, the server is asked what would come of it, and the answer is put in place.
const form = document.querySelector("form[data-live]");
let latest = 0;

function showProblem(place, problem) {
  const message = document.createElement("div");
  message.className = "alert alert-danger";
  message.setAttribute("role", "alert");
  message.dataset.lost = "";
  message.textContent = problem;
  place.querySelector("[data-lost]")?.remove();
  place.prepend(message);
}

async function renew() {
  const mine = ++latest;
  const place = document.querySelector(form.dataset.live);
  const data = new FormData(form);
  data.set("check", "1");
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: data });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== latest) return;
    const fresh = page.querySelector(form.dataset.live);
    if (fresh) place.replaceWith(fresh);
    else showProblem(place, page.querySelector("main .lead")?.textContent ?? "This page has expired. Reload it and try again.");
  } catch {
    if (mine === latest) showProblem(place, "The server does not answer. Check the connection, then change an answer to try again.");
  } finally {
    if (mine === latest) place.removeAttribute("aria-busy");
  }
}
form.addEventListener("change", renew);
