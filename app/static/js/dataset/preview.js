// A stretch of one activity: one small plot a channel, all in the colour of the activity.
import { QUIET, paper, theme } from "../lib/plots.js";

// Plots in one or two columns; the last of a column has the time below it.
function figure(data, columns) {
  const rows = Math.ceil(data.lines.length / columns);
  const layout = {
    ...paper(), height: 60 + 95 * rows, margin: { l: 52, r: 8, t: 18, b: 36 }, showlegend: false, annotations: [],
  };
  layout.font.size = 11;
  const traces = data.lines.map((line, index) => {
    const [column, row, axis] = [Math.floor(index / rows), index % rows, index ? String(index + 1) : ""];
    const isLast = row === rows - 1 || index === data.lines.length - 1;
    const left = column / columns + (column ? 0.05 : 0);
    const right = (column + 1) / columns - (column < columns - 1 ? 0.03 : 0);
    layout[`xaxis${axis}`] = {
      domain: [left, right], anchor: `y${axis}`, matches: index ? "x" : undefined, showticklabels: isLast,
      title: isLast ? { text: "Time (s)", standoff: 6 } : undefined, gridcolor: theme("line"), zeroline: false,
    };
    layout[`yaxis${axis}`] = {
      domain: [1 - (row + 0.82) / rows, 1 - row / rows], anchor: `x${axis}`, nticks: 4, gridcolor: theme("line"),
      zerolinecolor: theme("line"),
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
  return { traces, layout };
}

export function showPreview(section) {
  const plot = section.querySelector("[data-plot]");
  const select = section.querySelector("select");
  const caption = section.querySelector("[data-caption]");
  const draw = async () => {
    const answer = await fetch(`${section.dataset.previewUrl}?activity=${encodeURIComponent(select.value)}`).catch(() => null);
    if (!answer?.ok) {
      caption.textContent = "The signal could not be loaded.";
      return;
    }
    const data = await answer.json();
    const { traces, layout } = figure(data, plot.clientWidth < 640 ? 1 : 2);
    plot.style.height = `${layout.height}px`;
    caption.textContent = `${data.activity}: ${data.recording}`;
    await Plotly.react(plot, traces, layout, QUIET);
  };
  select.addEventListener("change", draw);
  matchMedia("(max-width: 700px)").addEventListener("change", draw);
  draw();
}
