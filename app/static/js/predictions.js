// The timeline of a recording: recognised activities as a strip over the signal, thinned anew for each closer look.
"use strict";

(() => {
  const element = document.getElementById("timeline");
  const part = document.getElementById("part");
  if (part) part.addEventListener("change", () => part.form.requestSubmit());

  const LINES = ["#0b6770", "#b0721f", "#7a8790"]; // x, y, z, as in the legend of the page
  const SENSORS = { acc: "Acceleration (m/s²)", gyro: "Rotation (rad/s)" };
  // The time axis counts from 1970, which gives it ticks of a clock; written out, for plotly takes small numbers for years.
  const moment = (seconds) => new Date(1000 * seconds).toISOString().slice(0, -1);
  const percent = (p) => `${(100 * p).toFixed(1)} %`;

  function clock(seconds) {
    const whole = Math.floor(seconds);
    const two = (n) => String(n).padStart(2, "0");
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  }

  // Bouts become cells of a heat map of one row: one trace, however many there are. Pauses are empty cells.
  function strip(cells, names, colours, yaxis) {
    const [x, z, text] = [[], [], []];
    for (const cell of cells) {
      if (!x.length) x.push(cell.from);
      if (cell.from !== x.at(-1)) { z.push(null); text.push(""); x.push(cell.from); }
      z.push(names.indexOf(cell.activity)); text.push(cell.text); x.push(cell.to);
    }
    const steps = names.flatMap((name, i) => [[i / names.length, colours[name]], [(i + 1) / names.length, colours[name]]]);
    return {
      type: "heatmap", x, y: [0, 1], z: [z], text: [text], yaxis, colorscale: steps, zmin: -0.5, zmax: names.length - 0.5,
      showscale: false, hoverongaps: false, hovertemplate: "%{text}<extra></extra>", xgap: 0,
    };
  }

  function boutCells(bouts) {
    return bouts.map((bout) => ({
      from: moment(bout.start_s), to: moment(bout.end_s), activity: bout.activity,
      text: `<b>${escape(bout.activity)}</b><br>${clock(bout.start_s)} – ${clock(bout.end_s)}` +
        (bout.confidence === null ? "" : `<br>mean confidence ${percent(bout.confidence)}`),
    }));
  }

  function rowCells(rows, truth) {
    return rows.filter((row) => !truth || row.true_activity).map((row) => ({
      from: row.window - 0.5, to: row.window + 0.5, activity: truth ? row.true_activity : row.activity,
      text: `<b>${escape(truth ? row.true_activity : row.activity)}</b><br>${escape(row.recording)}` +
        (truth ? "" : `<br>confidence ${percent(row.confidence)}`),
    }));
  }

  const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`); // plotly reads a little HTML in labels

  function panels(signal) {
    const groups = new Map();
    for (const trace of signal) {
      const [, device, sensor] = /^(?:(.*)\.)?([^.]*)_[xyz]$/.exec(trace.channel);
      const title = [device, SENSORS[sensor] || sensor].filter(Boolean).join(" ");
      if (!groups.has(title)) groups.set(title, []);
      groups.get(title).push(trace);
    }
    return groups;
  }

  function draw(data) {
    const names = Object.keys(data.colours);
    const rows = data.layout === "windows";
    const strips = rows
      ? [["Recognised", rowCells(data.recognised, false)], ["In the file", rowCells(data.recognised, true)]]
      : [["Recognised", boutCells(data.recognised)], ["In the file", boutCells(data.labelled)]];
    const shown = strips.filter(([, cells]) => cells.length);
    const groups = [...panels(data.signal)];
    const [stripHeight, panelHeight, space] = [34, 150, 26];
    const height = shown.length * (stripHeight + 10) + groups.length * (panelHeight + space) + 50;
    const inner = height - 50;
    const layout = {
      height, margin: { l: 92, r: 8, t: 4, b: 44 }, showlegend: false, hovermode: "closest",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger scrolls the page
      font: { family: "inherit", size: 12 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: rows
        ? { title: { text: "Row of the file" }, zeroline: false, showgrid: false }
        : { type: "date", tickformat: timeFormat(data.recognised), title: { text: "Time in the recording" }, showgrid: false, zeroline: false },
    };
    if (element.clientWidth < 500) layout.margin.l = 78;
    const traces = [];
    let [top, axis] = [inner, 0];
    const nextAxis = (pixels, options) => {
      axis += 1;
      layout[axis === 1 ? "yaxis" : `yaxis${axis}`] = { domain: [Math.max(0, (top - pixels) / inner), top / inner], fixedrange: true, ...options };
      return axis === 1 ? "y" : `y${axis}`;
    };
    for (const [title, cells] of shown) {
      traces.push(strip(cells, names, data.colours, nextAxis(stripHeight, { tickvals: [0.5], ticktext: [`${title} `], ticks: "", showgrid: false, zeroline: false })));
      top -= stripHeight + 10;
    }
    for (const [title, channels] of groups) {
      top -= space - 10;
      const yaxis = nextAxis(panelHeight, { title: { text: title, standoff: 6 }, gridcolor: "#e6ecee", zerolinecolor: "#d4dde0", nticks: 5 });
      channels.forEach((trace, i) => traces.push({
        x: trace.time_s.map(moment), y: trace.values, yaxis, mode: "lines", line: { width: 1, color: LINES[i % 3] }, opacity: 0.75, name: trace.channel.slice(-1),
        hovertemplate: `${escape(trace.channel)}: %{y:.2f}<extra></extra>`, connectgaps: false,
      }));
      top -= panelHeight + 10;
    }
    layout.xaxis.anchor = axis === 1 ? "y" : `y${axis}`;
    const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "toImage"] };
    element.style.height = `${height}px`; // plotly's own height gives way when the window is resized
    Plotly.newPlot(element, traces, layout, options);
    if (!rows) element.on("plotly_relayout", closerLook(shown.length, data.signal));
  }

  // A recording that starts at nought counts as a stopwatch; one on a real clock shows its date.
  function timeFormat(bouts) {
    const [first, last] = [bouts[0].start_s, bouts.at(-1).end_s];
    if (first > 1e8) return undefined;
    return last > 86400 ? "%H:%M:%S\nday %-d" : "%H:%M:%S";
  }

  function closerLook(firstTrace, whole) {
    let timer = null;
    const show = (signal) => Plotly.restyle(
      element, { x: signal.map((t) => t.time_s.map(moment)), y: signal.map((t) => t.values) }, signal.map((_, i) => firstTrace + i),
    );
    return (change) => {
      clearTimeout(timer);
      if (change["xaxis.autorange"]) return show(whole);
      const from = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0];
      const to = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
      if (!whole.length || from === undefined) return;
      const seconds = (text) => Date.parse(`${String(text).replace(" ", "T")}Z`) / 1000;
      const url = new URL(element.dataset.url, location);
      url.searchParams.set("from", seconds(from));
      url.searchParams.set("to", seconds(to));
      timer = setTimeout(async () => show((await (await fetch(url)).json()).signal), 150);
    };
  }

  fetch(element.dataset.url)
    .then((response) => (response.ok ? response.json() : Promise.reject(new Error(response.statusText))))
    .then(draw)
    .catch((error) => { element.textContent = `The timeline could not be drawn (${error.message}). The table below has it all.`; });
})();
