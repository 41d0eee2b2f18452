// Another page of the table is put in its place without loading the rest of the page again.
async function showRows(url, push) {
  const answer = await fetch(url).catch(() => null);
  const rows = answer && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("rows");
  if (!rows) return location.assign(url);
  document.getElementById("rows").replaceWith(rows);
  if (push) history.pushState({}, "", url);
  return undefined;
}

// A data set may have thousands of recordings: those that fit what was typed so far are asked for.
let typed = 0;
async function suggest(field) {
  const mine = ++typed;
  await new Promise((resolve) => setTimeout(resolve, 150));
  if (mine !== typed) return;
  const answer = await fetch(`${field.dataset.suggestions}?text=${encodeURIComponent(field.value)}`).catch(() => null);
  if (!answer?.ok || mine !== typed) return;
  const options = (await answer.json()).map(({ id, about }) => Object.assign(new Option(about), { value: id }));
  document.getElementById("rows-recordings").replaceChildren(...options);
}

export function followRows() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("#rows a[data-rows]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    showRows(link.href, true);
  });
  document.addEventListener("change", (event) => {
    const query = event.target.closest("#rows form[data-rows]");
    if (query) showRows(`${query.action.split("#")[0]}?${new URLSearchParams(new FormData(query))}#rows`, true);
  });
  for (const kind of ["focusin", "input"]) {
    document.addEventListener(kind, (event) => {
      if (event.target.dataset?.suggestions) suggest(event.target);
    });
  }
  addEventListener("popstate", () => showRows(location.href, false));
}
