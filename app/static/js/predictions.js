// A recording's page: the signal under bands of activities, drawn anew by the server for each look, and hours as bars.
"use strict";

(() => {
  const LINES = ["#0b6770", "#b0721f", "#7a8790"]; // x, y, z, as in the legend of the page
  const PLAIN = { displayModeBar: false, responsive: true, doubleClick: false };
  const INK = { font: { family: "inherit", size: 12 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };
  const narrow = () => window.innerWidth < 576;
  const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`); // plotly reads a little HTML in labels

  const part = document.getElementById("part");
  if (part) part.addEventListener("change", () => part.form.requestSubmit());
  const element = document.getElementById("timeline");
  const status = document.getElementById("timeline-showing");
  let whole = null; // first and last moment of the recording
  let seen = null; // what is in view, or about to be
  let timer = null;
  let asking = null;

  // The latest question wins; until its answer is there, what is drawn stays, moved and stretched.
  function look(from, to, wait = 0) {
    seen = from === null ? whole : [Number(from), Number(to)];
    asking?.abort();
    clearTimeout(timer);
    timer = setTimeout(() => ask(from, to), wait);
  }

  async function ask(from, to) {
    const mine = (asking = new AbortController());
    const url = new URL(element.dataset.url, location);
    if (from !== null) { url.searchParams.set("from", from); url.searchParams.set("to", to); }
    element.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(url, { signal: mine.signal, headers: { Accept: "application/json" } });
      if (response.redirected) return location.reload(); // logged out meanwhile
      const answer = await response.json();
      if (mine.signal.aborted) return;
      if (!response.ok) throw new Error(answer.message);
      draw(answer);
      remember(from === null ? null : answer.range_s);
    } catch (error) {
      if (mine.signal.aborted) return;
      status.textContent = `This part could not be drawn: ${error.message}`;
      if (!whole && from !== null) ask(null, null); // an address with a wrong range
    } finally {
      if (mine === asking) element.setAttribute("aria-busy", "false");
    }
  }

  // The address shows what is in view, so that a look can be kept or sent.
  function remember(range) {
    const here = new URL(location);
    for (const [key, i] of [["from", 0], ["to", 1]]) {
      if (range) here.searchParams.set(key, range[i].toFixed(3)); else here.searchParams.delete(key);
    }
    history.replaceState(null, "", here);
  }

  // Bands become cells of a heat map of one row: one trace, however many there are. Between them, cells are empty.
  function strip(bands, data, yaxis, style) {
    const names = Object.keys(data.colours);
    const [x, z, text] = [[], [], []];
    for (const band of bands) {
      if (!x.length) x.push(band.start_s);
      if (band.start_s - x.at(-1) > 0.003) { z.push(null); text.push(""); x.push(band.start_s); }
      z.push(band.activity === null ? names.length : names.indexOf(band.activity));
      text.push(band.text.map((line, i) => (i ? escape(line) : `<b>${escape(line)}</b>`)).join("<br>"));
      x.push(band.end_s);
    }
    const colours = [...names.map((name) => data.colours[name]), data.missing_colour];
    const scale = colours.flatMap((colour, i) => [[i / colours.length, colour], [(i + 1) / colours.length, colour]]);
    return {
      type: "heatmap", x, y: [0, 1], z: [z], text: [text], yaxis, colorscale: scale, zmin: -0.5, zmax: names.length + 0.5,
      showscale: false, hoverongaps: false, hovertemplate: "%{text}<extra></extra>", ...style,
    };
  }

  function panels(signal) {
    const groups = new Map();
    for (const trace of signal) groups.set(trace.sensor, [...(groups.get(trace.sensor) || []), trace]);
    return [...groups];
  }

  function draw(data) {
    [whole, seen] = [data.whole_s, data.range_s];
    const rows = [["Recognised", data.recognised], ["File says", data.labelled]].filter(([, bands]) => bands.length);
    const groups = panels(data.signal);
    const [stripHeight, panelHeight, space] = [34, narrow() ? 130 : 150, 12];
    const below = 58;
    const inner = rows.length * (stripHeight + space) + groups.length * (panelHeight + space);
    const few = (list) => (narrow() ? list.filter((_, i) => i % 2 === 0) : list);
    const layout = {
      ...INK, height: inner + below, margin: { l: narrow() ? 74 : 92, r: 26, t: 4, b: below }, showlegend: false, hovermode: "closest",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger scrolls the page
      xaxis: {
        range: data.range_s, minallowed: data.whole_s[0], maxallowed: data.whole_s[1], title: { text: data.axis, standoff: 8 },
        tickvals: few(data.ticks.at), ticktext: few(data.ticks.text), tickangle: 0, ticks: "outside", showgrid: false, zeroline: false,
      },
    };
    const traces = [];
    let [top, axes] = [inner, 0];
    const axis = (pixels, options) => {
      axes += 1;
      const name = axes === 1 ? "" : axes;
      layout[`yaxis${name}`] = { domain: [(top - pixels) / inner, top / inner], fixedrange: true, zeroline: false, ...options };
      return `y${name}`;
    };
    for (const [title, bands] of rows) {
      traces.push(strip(bands, data, axis(stripHeight, { range: [0, 1], tickvals: [0.5], ticktext: [`${title} `], ticks: "", showgrid: false })));
      top -= stripHeight + space;
    }
    for (const [title, channels] of groups) {
      const behind = axis(panelHeight, { range: [0, 1], visible: false });
      traces.push(strip(data.recognised, data, behind, { opacity: 0.22, hoverinfo: "skip", hovertemplate: null }));
      const yaxis = axis(panelHeight, { overlaying: behind, tickmode: "auto", title: { text: title, standoff: 6 }, gridcolor: "#dfe6e8", nticks: 5 });
      channels.forEach((trace, i) => traces.push({
        x: trace.time_s, y: trace.values, yaxis, mode: "lines", line: { width: 1, color: LINES[i % 3] }, opacity: 0.8,
        hovertemplate: `${escape(trace.channel)}: %{y:.2f}<extra></extra>`, connectgaps: false,
      }));
      top -= panelHeight + space;
    }
    layout.xaxis.anchor = `y${axes === 1 ? "" : axes}`;
    element.style.height = `${layout.height}px`; // plotly's own height gives way when the window is resized
    const first = !element.on;
    Plotly.react(element, traces, layout, PLAIN);
    if (first) listen();
    for (const button of document.querySelectorAll("[data-move]")) button.disabled = false;
    status.textContent = `Showing ${data.showing}.` + (data.thinned ? " Each stripe has the activity that fills most of its time; zoom in to see every bout." : "");
  }

  function listen() {
    element.on("plotly_relayout", (change) => {
      const [from, to] = change["xaxis.range"] ?? [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from !== undefined) look(from, to, 120);
    });
    element.on("plotly_doubleclick", () => look(null, null));
    pinch();
  }

  // Move at once, as far as the recording goes, and let the server's answer follow.
  function move(from, to) {
    const length = Math.min(Math.max(to - from, 0.2), whole[1] - whole[0]);
    const start = Math.min(Math.max((from + to - length) / 2, whole[0]), whole[1] - length);
    Plotly.relayout(element, { "xaxis.range": [start, start + length] });
  }

  const MOVES = {
    earlier: ([a, b]) => [a - (b - a) / 2, b - (b - a) / 2],
    later: ([a, b]) => [a + (b - a) / 2, b + (b - a) / 2],
    in: ([a, b]) => [a + (b - a) / 4, b - (b - a) / 4],
    out: ([a, b]) => [a - (b - a) / 2, b + (b - a) / 2],
    all: () => whole,
  };

  // One finger scrolls the page; two move and stretch the time between them.
  function pinch() {
    let held = null; // where the fingers were put down, as shares of the plot's width, and what was in view
    const fingers = (event) => {
      const { left, width } = element.querySelector(".nsewdrag").getBoundingClientRect();
      return [...event.touches].map((touch) => (touch.clientX - left) / width).sort((a, b) => a - b);
    };
    element.addEventListener("touchstart", (event) => {
      held = event.touches.length === 2 ? { at: fingers(event), from: seen[0], length: seen[1] - seen[0] } : null;
      if (held) event.stopPropagation(); // plotly would count two taps
    }, { capture: true, passive: true });
    element.addEventListener("touchmove", (event) => {
      if (!held || event.touches.length !== 2) return;
      event.preventDefault(); // or the browser enlarges the page
      const now = fingers(event);
      const length = held.length * (held.at[1] - held.at[0]) / Math.max(now[1] - now[0], 0.02);
      const from = held.from + held.at[0] * held.length - now[0] * length;
      move(from, from + length);
    }, { passive: false });
    element.addEventListener("touchend", () => { held = null; });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (button) move(...MOVES[button.dataset.move](seen));
    const bout = event.target.closest("a[data-from]");
    if (bout && whole && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      move(Number(bout.dataset.from), Number(bout.dataset.to));
      const title = document.getElementById("timeline-title");
      title.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
      title.focus({ preventScroll: true });
    }
  });

  // The hours or days of a recording, a bar each, stacked of the activities' minutes.
  function bars(chart) {
    const { periods, colours, missing, most } = JSON.parse(chart.dataset.chart);
    const names = Object.keys(colours).filter((name) => periods.some((period) => period.minutes[name]));
    const x = periods.map((_, i) => i);
    const bar = (name, y, color) => ({
      type: "bar", name: escape(name), x, y, marker: { color, ...(name === "missing" && { pattern: { shape: "/", size: 6, fgcolor: "#8d979b" } }) },
      hovertemplate: `<b>${escape(name)}</b><br>%{customdata}<br>%{y:.1f} min<extra></extra>`, customdata: periods.map((period) => escape(period.title)),
    });
    const traces = names.map((name) => bar(name, periods.map((period) => period.minutes[name] || 0), colours[name]));
    if (periods.some((period) => period.missing)) traces.push(bar("missing", periods.map((period) => period.missing), missing));
    const every = Math.ceil(periods.length / (narrow() ? 4 : 9));
    const shown = x.filter((i) => i % every === 0);
    const [days, times] = [0, 1].map((half) => shown.map((i) => escape(periods[i].title.split(", ")[half] || "")));
    const ticks = times.map((time, i) => (time && days[i] === days[i - 1] ? time : [time, days[i]].filter(Boolean).join("<br>")));
    Plotly.newPlot(chart, traces, {
      ...INK, barmode: "stack", bargap: 0.15, height: 240, margin: { l: 52, r: 8, t: 8, b: 44 }, showlegend: false, dragmode: false,
      xaxis: { tickvals: shown, ticktext: ticks, tickangle: 0, fixedrange: true },
      yaxis: { title: { text: "Minutes" }, range: [0, most], gridcolor: "#dfe6e8", fixedrange: true, zeroline: false },
    }, PLAIN);
  }
  document.querySelectorAll("[data-chart]").forEach(bars);

  const asked = new URLSearchParams(location.search);
  const both = asked.has("from") && asked.has("to");
  look(both ? asked.get("from") : null, both ? asked.get("to") : null);
})();
