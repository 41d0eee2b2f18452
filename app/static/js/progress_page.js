// The progress of an import, or of other long work; when it has ended, this same address shows how it ended.
import { poll } from "./lib/poll.js";
import { showProgress } from "./lib/progress_bar.js";

const panel = document.querySelector("[data-progress-url]");
const stage = panel.querySelector("[data-stage]");
poll(panel.dataset.progressUrl, (progress, response) => {
  if (!response.ok || progress.status !== "running") {
    location.reload();
    return false;
  }
  stage.textContent = progress.stage;
  panel.querySelector("[data-elapsed]").textContent = progress.elapsed;
  const bar = panel.querySelector(".progress"); // of what knows how far it is
  if (bar) showProgress(bar, progress.fraction ?? 0);
  return true;
}, { every: 400, lost: () => { stage.textContent = "the server does not answer; trying again"; } });
