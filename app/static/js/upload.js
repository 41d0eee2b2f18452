// A form with a file, on the home page and on the page that adds a data set: drop a file, see the progress, and read what
// was wrong with it without losing the page.
import { poll } from "./lib/poll.js";
import { showProgress } from "./lib/progress_bar.js";

const PROBLEMS = {
  400: "This page was open for too long. Reload it and try again.",
  413: "The file is larger than this site accepts.",
  429: "Too many uploads. Wait a minute and try again.",
};

function prepare(form) {
  const byId = (id) => document.getElementById(id);
  const input = form.querySelector("input[type=file]");
  const zone = byId("drop-zone");
  const [message, progress, button, cancel] = ["upload-message", "upload-progress", "upload-button", "upload-cancel"].map(byId);
  const [bar, text] = [progress.querySelector(".progress"), progress.querySelector("p")];
  let request = null;
  let stopFollowing = () => {};

  form.querySelector(".drop-hint").hidden = false;
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, () => zone.classList.remove("over"));
  }
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (request || !event.dataTransfer.files.length) return;
    if (event.dataTransfer.files.length > 1) {
      showProblem("Drop only one file. Put several files of one recording into a zip archive.");
      return;
    }
    input.files = event.dataTransfer.files;
    showProblem("");
  });
  input.addEventListener("change", () => showProblem(""));

  function showProblem(problem) {
    message.textContent = problem;
    message.hidden = !problem;
  }

  function setBusy(busy) {
    progress.hidden = cancel.hidden = !busy;
    button.disabled = input.disabled = busy;
  }

  function showPhase(phase) {
    if (text.textContent !== phase) text.textContent = phase; // written again, a screen reader would say it again
  }

  function showSent(share) {
    showProgress(bar, share);
    for (const style of ["progress-bar-striped", "progress-bar-animated"]) bar.firstElementChild.classList.toggle(style, share >= 1);
    showPhase(share >= 1 ? form.dataset.sent : `Uploading: ${Math.round(100 * share)} %`);
  }

  // Once the file is there, the server says how far it has read it.
  function follow(token) {
    if (!form.dataset.progress) return;
    stopFollowing = poll(form.dataset.progress.replace("TOKEN", token), (answer) => {
      if (answer.stage) {
        showProgress(bar, answer.fraction ?? 1);
        showPhase(`${answer.stage} …`); // without the percentage: a screen reader would never stop
      }
      return true;
    }, { every: 700, loggedOut });
  }

  // Reloading would show the first page of a stranger, and not why the file has gone.
  function loggedOut() {
    request?.abort();
    showProblem("Log in again: this session has ended.");
  }

  function end(problem) {
    stopFollowing();
    request = null;
    setBusy(false);
    showProblem(problem);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (request) return;
    const data = new FormData(form); // before the field is disabled, which would leave it out
    showProblem("");
    setBusy(true);
    showSent(0);
    request = new XMLHttpRequest(); // fetch cannot say how much has been sent
    const token = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    request.open("POST", form.dataset.progress ? `${form.action}?follow=${token}` : form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (e) => showSent(e.lengthComputable ? e.loaded / e.total : 0));
    request.upload.addEventListener("load", () => { showSent(1); follow(token); });
    request.addEventListener("load", () => {
      const answer = request.response || {};
      if (request.status === 200 && answer.url) {
        stopFollowing();
        location.assign(answer.url);
        return;
      }
      end(answer.message || PROBLEMS[request.status] || "The server could not process this file. See the server’s log.");
    });
    request.addEventListener("error", () => end("The connection was lost during the upload. Try again."));
    request.addEventListener("abort", () => end(""));
    request.send(data);
  });
  cancel.addEventListener("click", () => request && request.abort());
}

const form = document.getElementById("upload-form");
if (form) prepare(form);
