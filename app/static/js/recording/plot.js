// What Plotly draws of a recording: a strip of activities for each opinion, and a panel for each sensor.
import { escapeHtml, isNarrow, paper, theme } from "../lib/plots.js";

const [STRIP_HEIGHT, LANE_HEIGHT, SPACE, TITLE, BELOW] = [34, 18, 12, 20, 58]; // pixels
const SYMBOLS = { "▲": "triangle-up", "▼": "triangle-down", "●": "circle" }; // as in the legend
const SLOW = /Heart rate|Skin|Height|Loudness|Light/;

// Bands become cells of a heat map of one row: one trace, however many there are. Between them, cells are empty.
function strip(bands, data, yaxis, style) {
  const names = Object.keys(data.colours);
  const [x, z, text] = [[], [], []];
  for (const band of bands) {
    if (!x.length) x.push(band.start_s);
    if (band.start_s - x.at(-1) > 0.003) { z.push(null); text.push(""); x.push(band.start_s); }
    z.push(band.activity === null ? names.length : names.indexOf(band.activity));
    text.push(band.text.map((line, i) => (i ? escapeHtml(line) : `<b>${escapeHtml(line)}</b>`)).join("<br>"));
    x.push(band.end_s);
  }
  const colours = [...names.map((name) => data.colours[name]), data.missing_colour];
  const scale = colours.flatMap((colour, i) => [[i / colours.length, colour], [(i + 1) / colours.length, colour]]);
  return {
    type: "heatmap", x, y: [0, 1], z: [z], text: [text], yaxis, colorscale: scale, zmin: -0.5, zmax: names.length + 0.5,
    showscale: false, hoverongaps: false, hovertemplate: "%{text}<extra></extra>", ...style,
  };
}

// What is no activity is hatched over its cells: a pattern is what bars have, and heat maps have not.
function hatching(bands, data, yaxis) {
  const hatched = bands.filter((band) => band.activity === null || data.hatches[band.activity]);
  return {
    type: "bar", x: hatched.map((band) => (band.start_s + band.end_s) / 2), width: hatched.map((band) => band.end_s - band.start_s),
    y: hatched.map(() => 1), yaxis, hoverinfo: "skip",
    marker: {
      color: "rgba(0,0,0,0)", line: { width: 0 },
      pattern: { shape: hatched.map((band) => data.hatches[band.activity] ?? data.missing_hatch), size: 6, solidity: 0.25, fgcolor: theme("hatch"), bgcolor: "rgba(0,0,0,0)" },
    },
  };
}

// Transitions take seconds, of a day less than a pixel: a mark in the middle of each has always the same size.
function lane(moves, yaxis) {
  const middle = moves.map((move) => (move.start_s + move.end_s) / 2);
  return [
    {
      type: "bar", x: middle, width: moves.map((move) => move.end_s - move.start_s), y: moves.map(() => 1), yaxis,
      hoverinfo: "skip", marker: { color: theme("accent"), opacity: 0.3, line: { width: 0 } },
    },
    {
      type: "scatter", mode: "markers", x: middle, y: moves.map(() => 0.5), yaxis, cliponaxis: false,
      marker: { symbol: moves.map((move) => SYMBOLS[move.sign]), size: 11, color: theme("ink") },
      text: moves.map(({ text: [name, ...rest] }) => [`<b>${escapeHtml(name)}</b>`, ...rest.map(escapeHtml)].join("<br>")),
      hovertemplate: "%{text}<extra></extra>",
    },
  ];
}

function bySensor(signal) {
  const groups = new Map();
  for (const trace of signal) groups.set(trace.sensor, [...(groups.get(trace.sensor) || []), trace]);
  return [...groups];
}

function timeAxis(data) {
  const few = (list) => (isNarrow() ? list.filter((_, i) => i % 2 === 0) : list);
  return {
    range: data.range_s, minallowed: data.whole_s[0], maxallowed: data.whole_s[1], title: { text: data.axis, standoff: 8 },
    tickvals: few(data.ticks.at), ticktext: few(data.ticks.text), tickangle: 0, ticks: "outside", showgrid: false, zeroline: false,
  };
}

// Rows are stacked from the top; each gets a y axis of its own.
export function figure(data, title = "Recognised") {
  const strips = [[title, data.recognised], ["Model alone", data.before ?? []], ["You said", data.said ?? []], ["In the file", data.labelled]].filter(([, bands]) => bands.length);
  const moves = data.between ?? [];
  const panels = bySensor(data.signal);
  const heightOf = (title) => (SLOW.test(title) ? 70 : isNarrow() ? 115 : 135);
  const inner = strips.length * (STRIP_HEIGHT + SPACE) + (moves.length && LANE_HEIGHT + SPACE) + panels.reduce((sum, [title]) => sum + TITLE + heightOf(title) + SPACE, 0);
  const axisColours = ["x", "y", "z"].map((axis) => theme(`axis-${axis}`));
  const layout = {
    ...paper(), height: inner + BELOW, margin: { l: isNarrow() ? 80 : 84, r: 16, t: 4, b: BELOW }, annotations: [], showlegend: false,
    hovermode: "closest", bargap: 0, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger scrolls the page
    xaxis: timeAxis(data),
  };
  const traces = [];
  let [top, axes] = [inner, 0];
  const axis = (pixels, options) => {
    axes += 1;
    const name = axes === 1 ? "" : axes;
    layout[`yaxis${name}`] = { domain: [(top - pixels) / inner, top / inner], fixedrange: true, zeroline: false, ...options };
    return `y${name}`;
  };
  for (const [title, bands] of strips) {
    const yaxis = axis(STRIP_HEIGHT, { range: [0, 1], tickvals: [0.5], ticktext: [`${title} `], ticks: "", showgrid: false });
    traces.push(strip(bands, data, yaxis), hatching(bands, data, yaxis));
    top -= STRIP_HEIGHT + SPACE;
    if (bands === data.recognised && moves.length) {
      traces.push(...lane(moves, axis(LANE_HEIGHT, { range: [0, 1], tickvals: [0.5], ticktext: ["Between "], ticks: "", showgrid: false })));
      top -= LANE_HEIGHT + SPACE;
    }
  }
  for (const [title, channels] of panels) {
    layout.annotations.push({ text: escapeHtml(title), x: 0, xref: "paper", xanchor: "left", y: top / inner, yref: "paper", yanchor: "top", showarrow: false });
    top -= TITLE;
    const panelHeight = heightOf(title);
    const behind = axis(panelHeight, { range: [0, 1], visible: false });
    traces.push(strip(data.recognised, data, behind, { opacity: 0.22, hoverinfo: "skip", hovertemplate: null }));
    const yaxis = axis(panelHeight, { overlaying: behind, tickmode: "auto", gridcolor: theme("line"), nticks: SLOW.test(title) ? 4 : 5 });
    channels.forEach((trace, i) => traces.push({
      x: trace.time_s, y: trace.values, yaxis, mode: "lines", line: { width: 1, color: channels.length > 1 ? axisColours[i % 3] : theme("accent") }, opacity: 0.8,
      hovertemplate: `${escapeHtml(trace.channel)}: %{y:.2f}<extra></extra>`, connectgaps: false,
    }));
    top -= panelHeight + SPACE;
  }
  layout.xaxis.anchor = `y${axes === 1 ? "" : axes}`;
  return { traces, layout };
}
