"use strict";

// A form that describes files: after each change, what would come of it is asked for anew and put in its place.
const described = document.querySelector("form[data-live]");
if (described) {
  const selector = described.dataset.live;
  let latest = 0;
  const renew = async () => {
    const mine = ++latest;
    const data = new FormData(described);
    data.set("check", "1");
    const shown = document.querySelector(selector);
    shown.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(described.action, { method: "POST", body: data });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector(selector);
      if (mine === latest && fresh) document.querySelector(selector).replaceWith(fresh);
    } finally {
      document.querySelector(selector).removeAttribute("aria-busy");
    }
  };
  described.addEventListener("change", renew);
}
