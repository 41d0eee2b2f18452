// A form with a file, here and on the page that adds a data set: drop a file, see how far it is, read what was wrong with it without losing the page.
"use strict";

(() => {
  const form = document.getElementById("upload-form");
  if (!form) return;
  const byId = (id) => document.getElementById(id);
  const input = form.querySelector("input[type=file]");
  const zone = byId("drop-zone");
  const [message, progress, button, cancel] = ["upload-message", "upload-progress", "upload-button", "upload-cancel"].map(byId);
  const [bar, text] = [progress.querySelector(".progress"), progress.querySelector("p")];
  let request = null;
  let following = null;

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
    if (event.dataTransfer.files.length > 1) return show("Drop only one file. Put several files of one recording into a zip archive.");
    input.files = event.dataTransfer.files;
    show("");
  });
  input.addEventListener("change", () => show(""));

  function show(problem) {
    message.textContent = problem;
    message.hidden = !problem;
  }

  function busy(yes) {
    progress.hidden = cancel.hidden = !yes;
    button.disabled = input.disabled = yes;
  }

  function report(fraction) {
    const percent = Math.round(100 * fraction);
    const sent = fraction >= 1;
    bar.setAttribute("aria-valuenow", percent);
    bar.firstElementChild.style.width = `${percent}%`;
    bar.firstElementChild.classList.toggle("progress-bar-striped", sent);
    bar.firstElementChild.classList.toggle("progress-bar-animated", sent);
    const phase = sent ? form.dataset.sent : `Uploading: ${percent} %`;
    if (text.textContent !== phase) text.textContent = phase;
  }

  // Once the file is there, the server tells how far it has read it.
  function follow(token) {
    if (!form.dataset.progress) return;
    const address = form.dataset.progress.replace("TOKEN", token);
    following = setInterval(async () => {
      const answer = await fetch(address).then((r) => r.json()).catch(() => ({}));
      if (!following || !answer.stage) return;
      const percent = Math.round(100 * (answer.fraction ?? 1));
      bar.setAttribute("aria-valuenow", percent);
      bar.firstElementChild.style.width = `${percent}%`;
      const phase = `${answer.stage} …`; // without the percentage: a screen reader would never stop
      if (text.textContent !== phase) text.textContent = phase;
    }, 700);
  }

  function ended(problem) {
    clearInterval(following);
    following = null;
    request = null;
    busy(false);
    show(problem);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (request) return;
    const data = new FormData(form); // before the field is disabled, which would leave it out
    show("");
    busy(true);
    report(0);
    request = new XMLHttpRequest();
    const token = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    request.open("POST", form.dataset.progress ? `${form.action}?follow=${token}` : form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (e) => report(e.lengthComputable ? e.loaded / e.total : 0));
    request.upload.addEventListener("load", () => { report(1); follow(token); });
    request.addEventListener("load", () => {
      const answer = request.response || {};
      if (request.status === 200 && answer.url) return location.assign(answer.url);
      const otherwise = {
        400: "This page was open for too long. Reload it and try again.",
        413: "The file is larger than this site accepts.",
        429: "Too many uploads. Wait a minute and try again.",
      };
      if (!answer.message && request.status === 200) return location.reload(); // logged out meanwhile
      ended(answer.message || otherwise[request.status] || "The server could not process this file. See the server’s log.");
    });
    request.addEventListener("error", () => ended("The connection was lost during the upload. Try again."));
    request.addEventListener("abort", () => ended(""));
    request.send(data);
  });
  cancel.addEventListener("click", () => request && request.abort());
})();
