// Where the steps of a calibration are in its recording: bands over the signal, which can be moved.
import { QUIET, narrow } from "./lib/plots.js";
import { figure } from "./recording/plot.js";

const plot = document.getElementById("placing");
const status = document.getElementById("placing-status");
const field = document.getElementById("later");
const steps = JSON.parse(plot.dataset.steps);
const colours = JSON.parse(plot.dataset.colours);
let data = null;

const later = () => Number(field.value.replace(",", ".")) || 0;

function draw() {
  const bands = steps.map(([activity, start, end]) => ({
    activity, start_s: start + later(), end_s: end + later(), text: [activity, `${Math.round(end - start)} s`],
  }));
  const outside = bands.filter((band) => band.end_s < data.whole_s[0] || band.start_s > data.whole_s[1]).length;
  const { traces, layout } = figure({ ...data, said: [], before: [], between: [], labelled: [], recognised: bands, colours }, "Steps");
  layout.dragmode = false;
  plot.style.height = `${layout.height}px`;
  Plotly.react(plot, traces, layout, { ...QUIET, doubleClick: false });
  status.textContent = outside ? `${outside} of ${steps.length} steps are outside the recording.` : "";
}

for (const button of document.querySelectorAll("[data-by]")) {
  button.hidden = false;
  button.addEventListener("click", () => { field.value = String(Math.round(10 * (later() + Number(button.dataset.by))) / 10); draw(); });
}
field.addEventListener("input", () => { if (data) draw(); });
narrow.addEventListener("change", () => { if (data) draw(); }); // a telephone that is turned

const response = await fetch(plot.dataset.url, { headers: { Accept: "application/json" } });
data = await response.json();
if (response.ok) draw(); else status.textContent = data.message;
