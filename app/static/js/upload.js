// A form with files, on the home page and on the page that adds a data set: drop files, see the progress, and read what
// was wrong without losing the page. Several files are sent one after the other: the server reads one of a person at a time.
import { showProgress } from "./lib/progress_bar.js";
import { send } from "./upload/send.js";
import { FileList } from "./upload/file_list.js";

function prepare(form) {
  const byId = (id) => document.getElementById(id);
  const input = form.querySelector("input[type=file]");
  const models = form.querySelector("select[name=version]");
  const zone = byId("drop-zone");
  const [message, progress, button, cancel] = ["upload-message", "upload-progress", "upload-button", "upload-cancel"].map(byId);
  const [bar, text] = [progress.querySelector(".progress"), progress.querySelector("p")];
  let sending = null; // the file that is on its way

  form.querySelector(".drop-hint").hidden = false;
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, () => zone.classList.remove("over"));
  }
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (sending || !event.dataTransfer.files.length) return;
    if (event.dataTransfer.files.length > 1 && !input.multiple) {
      showProblem("Drop only one file. Put several files of one recording into a zip archive.");
      return;
    }
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
  });
  input.addEventListener("change", () => {
    showProblem("");
    showUnfit({});
  });

  function showProblem(problem, ...after) {
    message.replaceChildren(problem, ...after);
    message.hidden = !problem;
  }

  function setBusy(busy) {
    progress.hidden = cancel.hidden = !busy;
    button.disabled = input.disabled = busy;
    if (busy) document.body.dataset.sending = "yes";
    else delete document.body.dataset.sending;
  }

  function showPhase(phase) {
    if (text.textContent !== phase) text.textContent = phase; // written again, a screen reader would say it again
  }

  const show = {
    sent(share) {
      showProgress(bar, share);
      for (const style of ["progress-bar-striped", "progress-bar-animated"]) bar.firstElementChild.classList.toggle(style, share >= 1);
      showPhase(share >= 1 ? form.dataset.sent : `Uploading: ${Math.round(100 * share)} %`);
    },
    stage(stage, fraction) {
      showProgress(bar, fraction ?? 1);
      showPhase(`${stage} …`); // without the percentage: a screen reader would never stop
    },
  };

  // Models that cannot read the file cannot be chosen for it; another file may suit them.
  function showUnfit(reasons) {
    for (const option of models?.options ?? []) {
      option.dataset.text ??= option.textContent;
      const reason = reasons[option.value];
      option.disabled = Boolean(reason);
      option.textContent = reason ? `${option.dataset.text}: cannot read this file, ${reason}` : option.dataset.text;
    }
    if (models?.selectedOptions[0]?.disabled) models.selectedIndex = 0;
  }

  function link(label, address) {
    const a = document.createElement("a");
    Object.assign(a, { textContent: label, href: address, className: "alert-link" });
    return a;
  }

  function push(label, act) {
    const element = document.createElement("button");
    Object.assign(element, { type: "button", textContent: label, className: "btn btn-sm btn-outline-secondary ms-2" });
    element.addEventListener("click", act, { once: true });
    return element;
  }

  async function sendOne(file, again = false) {
    const data = new FormData(form); // before the field is disabled, which would leave it out
    if (file) data.set(input.name, file);
    if (again) data.delete("only_new");
    showProblem("");
    setBusy(true);
    show.sent(0);
    sending = send(form, data, show);
    const outcome = await sending.done;
    sending = null;
    return outcome;
  }

  async function single(file, again = false) {
    const outcome = await sendOne(file, again);
    if (outcome.url) {
      location.assign(outcome.url);
      return;
    }
    setBusy(false);
    showUnfit(outcome.unfit ?? {});
    if (outcome.kept) document.dispatchEvent(new Event("uploads-changed"));
    if (!outcome.known) showProblem(outcome.problem);
    else showProblem(`${outcome.problem} `, link("Open the recording", outcome.known), push("Upload anyway", () => single(file, true)));
  }

  async function several(files) {
    const list = new FileList(byId("upload-files"), files);
    let stopped = false;
    const stop = () => { stopped = true; };
    cancel.addEventListener("click", stop);
    for (const [i, file] of files.entries()) {
      if (stopped) list.set(i, "not sent");
      else await one(i, file);
    }
    cancel.removeEventListener("click", stop);
    finish();

    async function one(i, file, again = false) {
      list.set(i, "being sent and read …");
      const outcome = await sendOne(file, again);
      const waits = outcome.url?.includes("/mappings/file/"); // for its owner to say what the columns are
      const problem = outcome.problem?.replace(file.name + ": ", ""); // the line begins with the name already
      if (waits) list.set(i, "waits for you to say what its columns are", link("continue", outcome.url));
      else if (outcome.url) list.set(i, "read", link("open", outcome.url));
      else if (outcome.known) list.ask(i, outcome.problem, link("open", outcome.known), push("Upload anyway", () => anew(i, file, true)), push("Leave it out", () => leaveOut(i)));
      else if (outcome.kept) list.set(i, problem);
      else list.ask(i, problem || "Cancelled.", push("Try again", () => anew(i, file)), push("Leave it out", () => leaveOut(i)));
      document.dispatchEvent(new Event("uploads-changed"));
    }

    async function anew(i, file, again) {
      if (sending) return;
      await one(i, file, again);
      finish();
    }

    function leaveOut(i) {
      list.set(i, "left out");
      finish();
    }

    // The list of recordings says what became of each, once there is nothing left to decide here.
    function finish() {
      if (sending) return;
      setBusy(false);
      if (list.asks) showPhase("");
      else if (form.dataset.list) showList(form.dataset.list);
    }
  }

  function showList(address) {
    const target = new URL(address, location.href);
    if (target.pathname + target.search !== location.pathname + location.search) {
      location.assign(target);
      return;
    }
    history.replaceState(null, "", target); // what follows the # alone would not load the page again
    location.reload();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const files = [...input.files];
    if (sending) return;
    if (files.length > 1) several(files);
    else single(files[0]); // none, where the page takes a path instead
  });
  cancel.addEventListener("click", () => sending?.abort());
}

const form = document.getElementById("upload-form");
if (form) prepare(form);
