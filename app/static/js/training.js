// The live part of a training run's page: asks for the events it has not seen, draws the curves, reloads at the end.
import { QUIET, paper } from "./lib/plots.js";
import { poll } from "./lib/poll.js";
import { showProgress } from "./lib/progress_bar.js";

const CURVES = [
  ["loss-curve", "Loss", [["loss", "training", "solid"], ["val_loss", "validation", "dot"]]],
  ["accuracy-curve", "Accuracy", [["accuracy", "training", "solid"], ["val_accuracy", "validation", "dot"]]],
];

function follow(panel) {
  const { titles, colours } = JSON.parse(panel.dataset.names);
  const show = (name, text) => { panel.querySelector(`#${name}`).textContent = text; };
  const epochs = new Map(); // [model, fold] as text -> epoch events, in the order of training
  let position = 0; // in the events of the run

  const title = (event) => (titles[event.model] || event.model) + (event.folds ? `, ${event.dataset || `fold ${event.fold}`}` : "");

  function draw(id, heading, metrics) {
    const traces = [...epochs.values()].flatMap((events, index) => metrics.map(([key, suffix, dash]) => {
      const points = events.filter((event) => event[key] !== undefined);
      return {
        x: points.map((event) => event.epoch), y: points.map((event) => event[key]), mode: "lines+markers", marker: { size: 4 },
        name: `${title(events[0])}, ${suffix}`, line: { color: colours[index % colours.length], dash },
      };
    })).filter((trace) => trace.x.length);
    Plotly.react(id, traces, {
      ...paper(), title: { text: heading, font: { size: 14 } }, height: 300, margin: { l: 52, r: 12, t: 36, b: 84 },
      xaxis: { title: { text: "Epoch" }, rangemode: "tozero", tickformat: "d", nticks: 8 }, yaxis: { title: { text: heading } },
      showlegend: true, legend: { orientation: "h", y: -0.32, font: { size: 11 } },
    }, QUIET);
  }

  function take(event) {
    if (event.epoch !== undefined) {
      const curve = `${event.model} ${event.fold}`;
      epochs.set(curve, [...(epochs.get(curve) ?? []), event]);
    }
    if (event.accuracy !== undefined && event.f1 !== undefined) {
      const item = document.createElement("li");
      const what = event.stage === "scored" ? titles[event.model] || event.model : title(event);
      item.textContent = `${what}: accuracy ${(100 * event.accuracy).toFixed(1)} %, macro F1 ${(100 * event.f1).toFixed(1)} %`;
      panel.querySelector("#log").append(item);
    }
  }

  // Only what has changed is written, so that a screen reader says each step once.
  function showSteps(steps) {
    const stage = panel.querySelector("#stage");
    panel.querySelectorAll("#steps li").forEach((item, index) => {
      const { title, state, detail } = steps[index];
      const [text, shown] = [detail || state, item.querySelector("span")];
      item.className = `step-${state.replace(" ", "-")}`;
      if (state === "now" && stage.textContent !== title) stage.textContent = title;
      if (shown.textContent !== text) shown.textContent = text;
    });
  }

  poll(() => `${panel.dataset.url}?after=${position}`, (state, response) => {
    if (!response.ok || state.status !== "running") {
      location.reload();
      return false;
    }
    state.events.forEach(take);
    position = state.next;
    showProgress(panel.querySelector(".progress"), state.fraction);
    show("elapsed", state.elapsed);
    show("remaining", state.remaining);
    showSteps(state.steps);
    if (state.events.some((event) => event.epoch !== undefined)) CURVES.forEach((curve) => draw(...curve));
    return true;
  }, { lost: () => show("remaining", "The server does not answer; trying again") });
}

const panel = document.getElementById("progress");
if (panel) follow(panel);
