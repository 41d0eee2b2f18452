// The training page: several data sets are tested by data set, one by subject, until a person chooses another way.
const boxes = [...document.querySelectorAll('input[name="dataset"]')];
const protocols = [...document.querySelectorAll('input[name="protocol"]')];
const howMuch = document.getElementById("how-much");
const current = () => protocols.find((option) => option.checked)?.value;
let chosen = false;

function choose(name) {
  protocols.forEach((option) => { option.checked = option.value === name; });
  showHowMuch();
}

function showHowMuch() {
  howMuch.hidden = current() === "dataset"; // each data set is a fold
}

// As long as the shortest of the data sets asks for, until a person writes another length.
const windowLength = document.querySelector('input[name="window_length_s"]');
let isWritten = false;
windowLength?.addEventListener("input", () => { isWritten = true; });

function presetWindow() {
  const lengths = boxes.filter((box) => box.checked).map((box) => Number(box.dataset.windowS));
  if (!isWritten && lengths.length) windowLength.value = Math.min(...lengths);
}

protocols.forEach((option) => option.addEventListener("change", () => {
  chosen = true;
  showHowMuch();
}));
boxes.forEach((box) => box.addEventListener("change", () => {
  presetWindow();
  const several = boxes.filter((other) => other.checked).length > 1;
  if (!several && current() === "dataset") choose("subject"); // one cannot be left out
  else if (several && !chosen) choose("dataset");
}));
if (howMuch) showHowMuch();

// What can be built on: the stored models that fit all chosen data. One is trained in seconds, so the others wait to be asked for.
const base = document.querySelector('select[name="base"]');
const models = [...document.querySelectorAll('input[name="models"]')];
const usual = models.map((box) => box.checked);
let areChosen = Boolean(base?.value); // of a training that is asked for again, the models are as they were
models.forEach((box) => box.addEventListener("change", () => { areChosen = true; }));

function offerBases() {
  const data = boxes.filter((box) => box.checked).map((box) => box.value);
  [...base.options].slice(1).forEach((option) => {
    const fitting = option.dataset.fits.split(",");
    option.disabled = !data.every((name) => fitting.includes(name));
  });
  if (base.selectedOptions[0]?.disabled) base.value = "";
  showBase();
}

function showBase() {
  const scratch = !base.value;
  document.getElementById("with-base").hidden = scratch;
  document.querySelectorAll("#with-base input").forEach((input) => { input.disabled = scratch; }); // what is hidden is not sent
  document.querySelectorAll("[data-read-by-base]").forEach((field) => {
    field.hidden = !scratch;
    field.querySelectorAll("input").forEach((input) => { input.disabled = !scratch; });
  });
  if (!areChosen) models.forEach((box, i) => { box.checked = scratch ? usual[i] : box.value === "elm-gru-am"; });
}

if (base) {
  boxes.forEach((box) => box.addEventListener("change", offerBases));
  base.addEventListener("change", showBase);
  offerBases();
}
