// The page of a recording: its timeline, and its hours and days as bars.
import { showBars } from "./recording/bars.js";
import { correctable } from "./recording/correct.js";
import { showTimeline } from "./recording/timeline.js";
import { explainable } from "./recording/why.js";

const part = document.getElementById("part");
if (part) part.addEventListener("change", () => part.form.requestSubmit());
document.querySelectorAll("[data-chart]").forEach(showBars);
correctable(showTimeline(document.getElementById("timeline"), document.getElementById("timeline-showing")));
explainable();
