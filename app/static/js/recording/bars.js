// The hours or days of a recording, a bar each, stacked from the minutes of each activity.
import { QUIET, escapeHtml, isNarrow, paper, theme } from "../lib/plots.js";

function trace(periods, name, minutes, marker) {
  return {
    type: "bar", name: escapeHtml(name), x: periods.map((_, i) => i), y: minutes, marker,
    customdata: periods.map((period) => escapeHtml(period.title)),
    hovertemplate: `<b>${escapeHtml(name)}</b><br>%{customdata}<br>%{y:.1f} min<extra></extra>`,
  };
}

function look(color, shape) {
  return shape ? { color, pattern: { shape, size: 6, fgcolor: theme("hatch") } } : { color };
}

// Some of the titles, "12 May, 14:00", on two lines; a day only where it changes.
function ticks(periods) {
  const every = Math.ceil(periods.length / (isNarrow() ? 4 : 9));
  const shown = periods.map((_, i) => i).filter((i) => i % every === 0);
  const [days, times] = [0, 1].map((half) => shown.map((i) => escapeHtml(periods[i].title.split(", ")[half] || "")));
  const text = times.map((time, i) => (time && days[i] === days[i - 1] ? time : [time, days[i]].filter(Boolean).join("<br>")));
  return { tickvals: shown, ticktext: text };
}

export function showBars(chart) {
  const { periods, colours, patterns, missing, most } = JSON.parse(chart.dataset.chart);
  const names = Object.keys(colours).filter((name) => periods.some((period) => period.minutes[name]));
  const traces = names.map((name) => trace(periods, name, periods.map((period) => period.minutes[name] || 0), look(colours[name], patterns[name])));
  if (periods.some((period) => period.missing)) {
    traces.push(trace(periods, "missing", periods.map((period) => period.missing), look(missing, "/")));
  }
  Plotly.newPlot(chart, traces, {
    ...paper(), barmode: "stack", bargap: 0.15, height: 240, margin: { l: 52, r: 8, t: 8, b: 44 }, showlegend: false, dragmode: false,
    xaxis: { ...ticks(periods), tickangle: 0, fixedrange: true },
    yaxis: { title: { text: "Minutes" }, range: [0, most], gridcolor: theme("line"), fixedrange: true, zeroline: false },
  }, QUIET);
}
