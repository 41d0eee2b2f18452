"use strict";

// Import: show how far the conversion is; when it has ended, this same address shows how it ended.
const panel = document.querySelector("[data-progress-url]");
if (panel) {
  const bar = panel.querySelector(".progress-bar");
  const poll = async () => {
    try {
      const answer = await fetch(panel.dataset.progressUrl, { headers: { Accept: "application/json" } });
      const progress = await answer.json();
      if (!answer.ok || progress.status !== "running") return window.location.reload();
      panel.querySelector("[data-stage]").textContent = progress.stage;
      panel.querySelector("[data-elapsed]").textContent = `${Math.round(progress.elapsed_s)} s`;
      const percent = Math.round(100 * (progress.fraction ?? 0));
      bar.style.width = `${percent}%`;
      bar.parentElement.setAttribute("aria-valuenow", percent);
    } catch {
      panel.querySelector("[data-stage]").textContent = "no answer from the server; trying again";
    }
    return window.setTimeout(poll, 400);
  };
  poll();
}

// Rows: another page of the table is put in its place without loading the rest of the page again.
const showRows = async (url, push) => {
  const answer = await fetch(url);
  const rows = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("rows");
  if (!rows) return window.location.assign(url);
  document.getElementById("rows").replaceWith(rows);
  if (push) window.history.pushState({}, "", url);
  return undefined;
};
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
window.addEventListener("popstate", () => document.getElementById("rows") && showRows(window.location.href, false));

// Preview: one small plot a channel, all in the colour of the activity.
const preview = document.querySelector("[data-preview-url]");
if (preview) {
  const plot = preview.querySelector("[data-plot]");
  const select = preview.querySelector("select");
  const caption = preview.querySelector("[data-caption]");
  const draw = async () => {
    const answer = await fetch(`${preview.dataset.previewUrl}?activity=${encodeURIComponent(select.value)}`);
    if (!answer.ok) {
      caption.textContent = "The signal could not be loaded.";
      return;
    }
    const data = await answer.json();
    const columns = plot.clientWidth < 640 ? 1 : 2;
    const half = Math.ceil(data.lines.length / columns);
    plot.style.height = `${60 + 95 * half}px`;
    const layout = {
      autosize: true, margin: { l: 52, r: 8, t: 18, b: 36 }, showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { size: 11, color: "#526169" },
      annotations: [],
    };
    const traces = data.lines.map((line, index) => {
      const column = Math.floor(index / half);
      const row = index % half;
      const axis = index ? String(index + 1) : "";
      const isLast = row === half - 1 || index === data.lines.length - 1;
      const left = column / columns + (column ? 0.05 : 0);
      const right = (column + 1) / columns - (column < columns - 1 ? 0.03 : 0);
      layout[`xaxis${axis}`] = {
        domain: [left, right], anchor: `y${axis}`, matches: index ? "x" : undefined, showticklabels: isLast,
        title: isLast ? { text: "Time (s)", standoff: 6 } : undefined, gridcolor: "#eef2f4", zeroline: false,
      };
      layout[`yaxis${axis}`] = {
        domain: [1 - (row + 0.82) / half, 1 - row / half], anchor: `x${axis}`, nticks: 4, gridcolor: "#eef2f4",
        zerolinecolor: "#dce3e6",
      };
      layout.annotations.push({
        text: `${line.channel} (${line.unit})`, showarrow: false, xref: `x${axis} domain`, yref: `y${axis} domain`,
        x: 0, y: 1, xanchor: "left", yanchor: "bottom",
      });
      return {
        x: data.time_s, y: line.values, mode: "lines", name: line.channel, xaxis: `x${axis}`, yaxis: `y${axis}`,
        line: { color: data.colour, width: 1.3 }, hovertemplate: `%{y:.3f} ${line.unit} at %{x:.2f} s`,
      };
    });
    caption.textContent = `${data.activity}: ${data.recording}`;
    await window.Plotly.react(plot, traces, layout, { responsive: true, displaylogo: false, displayModeBar: false });
  };
  select.addEventListener("change", draw);
  window.matchMedia("(max-width: 700px)").addEventListener("change", draw);
  draw();
}
