// Send a form with one file, and follow how far the server has read it.
import { poll } from "../lib/poll.js";

const PROBLEMS = {
  400: "This page was open for too long. Reload it and try again.",
  413: "The file is larger than this site accepts.",
  429: "Too many uploads. Wait a minute and try again.",
};
const KEPT = [422, 507]; // of these the list of recordings keeps the reason

// `done` is kept as a promise of { url } where the file was read, else of { problem, known, unfit, kept }.
export function send(form, data, show) {
  const request = new XMLHttpRequest(); // fetch cannot say how much has been sent
  const token = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  let loggedOut = false;
  let stopFollowing = () => {};

  function follow() {
    if (!form.dataset.progress) return;
    stopFollowing = poll(form.dataset.progress.replace("TOKEN", token), (answer) => {
      if (answer.stage) show.stage(answer.stage, answer.fraction);
      return true;
    }, {
      every: 700,
      loggedOut() { // reloading would show the first page of a stranger, and not why the file has gone
        loggedOut = true;
        request.abort();
      },
    });
  }

  const done = new Promise((resolve) => {
    const end = (outcome) => { stopFollowing(); resolve(outcome); };
    request.open("POST", form.dataset.progress ? `${form.action}?follow=${token}` : form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (e) => show.sent(e.lengthComputable ? e.loaded / e.total : 0));
    request.upload.addEventListener("load", () => { show.sent(1); follow(); });
    request.addEventListener("load", () => {
      const { url, message, known, unfit } = request.response || {};
      if (request.status === 200 && url) {
        end({ url });
        return;
      }
      const problem = message || PROBLEMS[request.status] || "The server could not process this file. See the server’s log.";
      end({ problem, known, unfit, kept: KEPT.includes(request.status) });
    });
    request.addEventListener("error", () => end({ problem: "The connection was lost during the upload. Try again." }));
    request.addEventListener("abort", () => end({ problem: loggedOut ? "Log in again: this session has ended." : "" }));
    request.send(data);
  });
  return { done, abort: () => request.abort() };
}
