// The guided part of a calibration: one step after the other with a countdown and beeps; when each began and ended is sent.
import { showProgress } from "./lib/progress_bar.js";

const form = document.getElementById("steps-form");
const ready = Number(form.dataset.ready);
const begin = document.getElementById("begin");
const [prepare, running] = [document.getElementById("prepare"), document.getElementById("running")];
const text = (id, words) => { const element = document.getElementById(id); if (element.textContent !== words) element.textContent = words; };

function chosen() {
  return [...form.querySelectorAll("[data-step]")]
    .filter((row) => row.querySelector("[type=checkbox]").checked)
    .map((row) => ({ activity: row.dataset.step || row.querySelector(".other").value.trim(), seconds: Number(row.querySelector("[type=number]").value) }))
    .filter(({ activity, seconds }) => activity && seconds > 0);
}

function tell() {
  const steps = chosen();
  const seconds = steps.reduce((sum, step) => sum + step.seconds + ready, 0);
  begin.disabled = !steps.length;
  text("takes", steps.length ? `It takes ${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s.` : "Choose a step.");
}

form.addEventListener("input", (event) => {
  if (event.target.matches(".other")) event.target.closest("li").querySelector("[type=checkbox]").checked = Boolean(event.target.value.trim());
  tell();
});
tell();

let sound = null; // browsers let a page sound only after a press
function beep(hertz, seconds) {
  if (!sound) return;
  const [tone, volume] = [sound.createOscillator(), sound.createGain()];
  tone.frequency.value = hertz;
  volume.gain.setValueAtTime(0.4, sound.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + seconds);
  tone.connect(volume).connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + seconds);
}

// Count down; a page in the background is late, so that time is read and never added up. False: it was stopped.
function countDown(seconds, isStopped, each) {
  const end = performance.now() + 1000 * seconds;
  let shown = null;
  return new Promise((done) => {
    const tick = () => {
      if (isStopped()) return done(false);
      const left = Math.ceil((end - performance.now()) / 1000);
      if (left <= 0) return done(true);
      if (left !== shown) { shown = left; text("count", String(left)); each(left); }
      setTimeout(tick, 50);
      return undefined;
    };
    tick();
  });
}

async function run(steps) {
  let stopped = false;
  const isStopped = () => stopped;
  const leaving = (event) => event.preventDefault();
  document.getElementById("stop").addEventListener("click", () => { stopped = true; }, { once: true });
  window.addEventListener("beforeunload", leaving);
  const awake = await navigator.wakeLock?.request("screen").catch(() => null);
  const done = [];
  for (const [i, step] of steps.entries()) {
    showProgress(document.getElementById("whole"), i / steps.length);
    running.dataset.phase = "ready";
    text("phase", "Get ready for");
    text("doing", step.activity);
    text("next", `Step ${i + 1} of ${steps.length}`);
    if (!await countDown(ready, isStopped, (left) => left <= 3 && beep(660, 0.15))) break;
    beep(990, 0.8);
    const start = Date.now() / 1000;
    running.dataset.phase = "do";
    text("phase", "Now, until the beep");
    text("next", i + 1 < steps.length ? `Then: ${steps[i + 1].activity}` : "Then you are done");
    if (!await countDown(step.seconds, isStopped, () => {})) break;
    done.push({ activity: step.activity, start, end: Date.now() / 1000 });
    beep(440, 0.5);
    navigator.vibrate?.(300);
  }
  awake?.release();
  window.removeEventListener("beforeunload", leaving);
  return done;
}

begin.addEventListener("click", async () => {
  if (!form.reportValidity()) return;
  sound ??= window.AudioContext ? new AudioContext() : null;
  await sound?.resume();
  [prepare.hidden, running.hidden] = [true, false];
  running.scrollIntoView();
  const done = await run(chosen());
  if (done.length) {
    text("phase", "Done");
    text("count", "✓");
    form.steps.value = JSON.stringify(done);
    form.submit();
  } else {
    [prepare.hidden, running.hidden] = [false, true];
  }
});
