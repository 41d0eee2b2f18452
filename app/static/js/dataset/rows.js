// Another page of the table is put in its place without loading the rest of the page again.
async function showRows(url, push) {
  const answer = await fetch(url).catch(() => null);
  const rows = answer && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("rows");
  if (!rows) return location.assign(url);
  document.getElementById("rows").replaceWith(rows);
  if (push) history.pushState({}, "", url);
  return undefined;
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
  addEventListener("popstate", () => showRows(location.href, false));
}
