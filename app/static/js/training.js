// The live part of a training's page: asks for the events it has not seen, draws the curves, reloads at the end.
"use strict";

(() => {
  const panel = document.getElementById("progress");
  const byId = (id) => document.getElementById(id);
  const TITLES = JSON.parse(panel.dataset.titles);
  // Okabe and Ito's colours, told apart by colour-blind people, in the order in which the models are trained.
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
  const STAGES = JSON.parse(panel.dataset.stages);
  const duration = (s) => (s < 90 ? `${Math.round(s)} s` : `${Math.floor(s / 60)} min ${String(Math.round(s % 60)).padStart(2, "0")} s`);
  const title = (curve) => {
    const [model, fold] = curve.split("\n");
    return (TITLES[model] || model) + (fold ? `, fold ${fold}` : "");
  };
  const epochs = {}; // model -> list of epoch events
  let position = 0; // in the run's events

  function draw(id, heading, metrics) {
    const traces = [];
    for (const [index, [model, events]] of Object.entries(epochs).entries()) {
      for (const [key, suffix, dash] of metrics) {
        const points = events.filter((e) => e[key] !== undefined);
        if (points.length) {
          traces.push({
            x: points.map((e) => e.epoch), y: points.map((e) => e[key]), mode: "lines+markers", marker: { size: 4 },
            name: `${title(model)}, ${suffix}`, line: { color: COLOURS[index % COLOURS.length], dash },
          });
        }
      }
    }
    const layout = {
      title: { text: heading, font: { size: 14 } }, height: 300, margin: { l: 52, r: 12, t: 36, b: 84 },
      xaxis: { title: { text: "Epoch" }, rangemode: "tozero", tickformat: "d", nticks: 8 }, yaxis: { title: { text: heading } },
      showlegend: true, legend: { orientation: "h", y: -0.32, font: { size: 11 } },
    };
    Plotly.react(id, traces, layout, { displayModeBar: false, responsive: true });
  }

  function take(event) {
    if (event.epoch !== undefined) {
      const curve = event.folds ? `${event.model}\n${event.fold}` : event.model;
      (epochs[curve] ||= []).push(event);
    }
    const parts = [TITLES[event.model] || event.model, STAGES[event.stage] || event.stage].filter(Boolean);
    if (event.folds) parts.push(`fold ${event.fold} of ${event.folds}`);
    if (event.epoch !== undefined) parts.push(`epoch ${event.epoch} of ${event.epochs}`);
    byId("stage").textContent = parts.join(": ");
    if (event.stage === "scored" || event.stage === "fold scored") {
      const item = document.createElement("li");
      const what = event.stage === "scored" ? TITLES[event.model] : title(`${event.model}\n${event.fold}`);
      item.textContent = `${what}: accuracy ${(100 * event.accuracy).toFixed(1)} %, macro F1 ${event.f1.toFixed(3)}`;
      byId("log").append(item);
    }
  }

  async function poll() {
    let next = 1000;
    try {
      const response = await fetch(`${panel.dataset.url}?after=${position}`, { headers: { Accept: "application/json" } });
      if (response.redirected) return location.reload(); // logged out meanwhile
      const state = await response.json();
      state.events.forEach(take);
      position = state.next;
      const percent = Math.round(100 * state.fraction);
      byId("bar").style.width = `${percent}%`;
      byId("bar").parentElement.setAttribute("aria-valuenow", percent);
      byId("elapsed").textContent = duration(state.elapsed_s);
      byId("remaining").textContent = state.remaining_s === null ? "" : `, about ${duration(state.remaining_s)} remaining`;
      if (state.events.some((e) => e.epoch !== undefined)) {
        draw("loss-curve", "Loss", [["loss", "training", "solid"], ["val_loss", "validation", "dot"]]);
        draw("accuracy-curve", "Accuracy", [["accuracy", "training", "solid"], ["val_accuracy", "validation", "dot"]]);
      }
      if (state.status !== "running") return location.reload();
    } catch (error) {
      byId("remaining").textContent = ", the server does not answer; trying again";
      next = 3000;
    }
    setTimeout(poll, next);
  }
  poll();
})();
