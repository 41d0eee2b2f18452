// The timeline of a recording: the server draws each view again, so that a day has as many points as a minute.
import { QUIET, narrow, theme } from "../lib/plots.js";
import { listenForPinch } from "./pinch.js";
import { figure } from "./plot.js";

const MOVES = {
  earlier: ([a, b]) => [a - (b - a) / 2, b - (b - a) / 2],
  later: ([a, b]) => [a + (b - a) / 2, b + (b - a) / 2],
  in: ([a, b]) => [a + (b - a) / 4, b - (b - a) / 4],
  out: ([a, b]) => [a - (b - a) / 2, b + (b - a) / 2],
};

export function showTimeline(plot, status) {
  let whole = null; // first and last moment of the recording
  let shown = null; // what is in view, or about to be
  let timer = null;
  let request = null;
  let drawn = null; // what the server sent last
  let marked = []; // stretches that are chosen to be corrected
  let selected = () => {}; // is called with a stretch that a person selects
  const axes = document.getElementById("axes");
  const selecting = document.getElementById("selecting");

  // The latest request wins; until its answer is there, what is drawn stays, moved and stretched. No range: all of it.
  function view(range, wait = 0) {
    shown = range ?? whole;
    request?.abort();
    clearTimeout(timer);
    timer = setTimeout(() => ask(range), wait);
  }

  async function ask(range) {
    const mine = (request = new AbortController());
    const url = new URL(plot.dataset.url, location);
    if (range) { url.searchParams.set("from", range[0]); url.searchParams.set("to", range[1]); }
    if (axes?.checked) url.searchParams.set("axes", "1");
    plot.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(url, { signal: mine.signal, headers: { Accept: "application/json" } });
      if (response.status === 401) return location.reload(); // logged out meanwhile
      const answer = await response.json();
      if (mine.signal.aborted) return;
      if (!response.ok) throw new Error(answer.message);
      draw(answer);
      remember(range ? answer.range_s : null);
    } catch (error) {
      if (mine.signal.aborted) return;
      status.textContent = `This part could not be drawn: ${error.message}`;
      if (!whole && range) ask(null); // an address with a wrong range
    } finally {
      if (mine === request) plot.setAttribute("aria-busy", "false");
    }
  }

  // The address says what is in view, so that a view can be kept or sent; a picture is of what is in view.
  function remember(range) {
    const here = new URL(location);
    withView(here, range);
    history.replaceState(null, "", here);
    for (const link of document.querySelectorAll("a[data-picture]")) {
      const url = new URL(link.href);
      withView(url, range);
      link.href = url;
    }
  }

  function withView(url, range) {
    for (const [key, i] of [["from", 0], ["to", 1]]) {
      if (range) url.searchParams.set(key, range[i].toFixed(3)); else url.searchParams.delete(key);
    }
    if (axes?.checked) url.searchParams.set("axes", "1"); else url.searchParams.delete("axes");
  }

  function draw(data) {
    [whole, shown, drawn] = [data.whole_s, data.range_s, data];
    const { traces, layout } = figure(data);
    Object.assign(layout, { shapes: shapes(), selections: [] }, dragging(layout.dragmode));
    plot.style.height = `${layout.height}px`; // plotly's own height gives way when the window is resized
    const legend = document.querySelector(".timeline-legend .axes");
    if (legend) legend.hidden = new Set(data.signal.map((trace) => trace.sensor)).size === data.signal.length;
    const first = !plot.on;
    Plotly.react(plot, traces, layout, { ...QUIET, doubleClick: false });
    if (first) listen();
    for (const button of document.querySelectorAll("[data-move]")) button.disabled = false;
    const note = data.thinned ? " Each stripe shows the activity that fills most of its time; zoom in to see every bout." : "";
    status.textContent = `Showing ${data.showing}.${note}`;
  }

  function listen() {
    plot.on("plotly_selected", (event) => {
      const range = event?.range?.x ?? Object.entries(event?.range ?? {}).find(([axis]) => axis.startsWith("x"))?.[1];
      if (!range) return;
      Plotly.relayout(plot, { selections: [] });
      selected([Math.max(Math.min(...range), whole[0]), Math.min(Math.max(...range), whole[1])]);
    });
    plot.on("plotly_click", ({ points }) => {
      const band = selecting?.checked && drawn.recognised.find(({ start_s, end_s }) => start_s <= points[0].x && points[0].x < end_s);
      if (band && band.activity !== null) selected([band.start_s, band.end_s]);
    });
    plot.on("plotly_relayout", (change) => {
      const [from, to] = change["xaxis.range"] ?? [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from !== undefined) view([Number(from), Number(to)], 120);
    });
    plot.on("plotly_doubleclick", () => view(null));
    listenForPinch(plot, () => shown, move);
  }

  // A drag selects instead of looking closer; a finger scrolls the page in any case, and touches bands.
  const dragging = (usual) => (selecting?.checked && usual ? { dragmode: "select", selectdirection: "h" } : {});

  const shapes = () => marked.map(([from, to]) => ({
    type: "rect", xref: "x", yref: "paper", x0: from, x1: to, y0: 0, y1: 1, line: { width: 1.5, color: theme("accent") }, fillcolor: theme("accent"), opacity: 0.2,
  }));

  // Move at once, as far as the recording goes, and let the server's answer follow.
  function move(from, to) {
    const length = Math.min(Math.max(to - from, 0.2), whole[1] - whole[0]);
    const start = Math.min(Math.max((from + to - length) / 2, whole[0]), whole[1] - length);
    Plotly.relayout(plot, { "xaxis.range": [start, start + length] });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (button) move(...(MOVES[button.dataset.move]?.(shown) ?? whole));
    const bout = event.target.closest("a[data-bout]");
    if (bout && whole && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      const range = new URL(bout.href).searchParams;
      move(Number(range.get("from")), Number(range.get("to")));
      const title = document.getElementById("timeline-title");
      title.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
      title.focus({ preventScroll: true });
    }
  });

  // A narrow screen has fewer times under the axis, and lower panels: a telephone that is turned gets its own.
  narrow.addEventListener("change", () => { if (whole) view(shown[0] === whole[0] && shown[1] === whole[1] ? null : shown); });

  const asked = new URLSearchParams(location.search);
  if (axes) {
    axes.checked = asked.get("axes") === "1";
    axes.disabled = false;
    axes.addEventListener("change", () => { if (whole) view(shown[0] === whole[0] && shown[1] === whole[1] ? null : shown); });
  }
  if (selecting) {
    selecting.disabled = false;
    selecting.addEventListener("change", () => { if (drawn) draw(drawn); });
  }
  view(asked.has("from") && asked.has("to") ? [asked.get("from"), asked.get("to")] : null);

  return {
    view: () => shown,
    redraw: () => ask(shown[0] === whole[0] && shown[1] === whole[1] ? null : shown),
    onSelect: (callback) => { selected = callback; },
    mark: (stretches) => {
      marked = stretches;
      if (drawn) Plotly.relayout(plot, { shapes: shapes() });
    },
  };
}
