// Why the model answered so: the signal with what mattered shaded, the words, and windows of other people beside it.
const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [600, 100]; // of a sensor's panel, in units of its picture: it is stretched to its place

const element = (name, attributes, text = "") => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
};

// A line of words beside each bout of the table, asked for once the table is on the screen.
function reasons() {
  const table = document.querySelector("[data-reasons]");
  if (!table) return;
  new IntersectionObserver(async (entries, observer) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    const response = await fetch(table.dataset.reasons, { headers: { Accept: "application/json" } });
    if (!response.ok) return; // the table says what it said before
    const found = await response.json();
    for (const line of table.querySelectorAll("[data-reason]")) {
      line.textContent = found[line.dataset.reason] ?? "";
      line.hidden = !line.textContent;
    }
  }).observe(table);
}

export function explainable() {
  reasons();
  document.addEventListener("arrived", reasons);
  const section = document.getElementById("why");
  if (!section) return;
  const part = (name) => document.getElementById(`why-${name}`);
  let request = null;
  let asker = null; // the button that was pressed: where the focus goes back to

  const show = () => { for (const button of document.querySelectorAll("[data-why]")) button.hidden = false; };
  show();
  document.addEventListener("arrived", show);

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-why]");
    if (!button) return;
    asker = button;
    ask(button.dataset.why.split(","), button.textContent.replace("Why?", "").trim());
  });
  part("close").addEventListener("click", close);
  section.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });

  function close() {
    request?.abort();
    section.hidden = true;
    asker?.focus();
  }

  async function get(url, [from, to], signal) {
    const address = new URL(url, location);
    address.searchParams.set("from", from);
    address.searchParams.set("to", to);
    const response = await fetch(address, { signal, headers: { Accept: "application/json" } });
    if (response.status === 401) location.reload(); // logged out meanwhile
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.message);
    return answer;
  }

  async function ask(stretch, when) {
    request?.abort();
    const { signal } = (request = new AbortController());
    section.hidden = false;
    part("body").hidden = true;
    part("title").textContent = "Why?";
    part("status").textContent = `Looking at ${when} …`;
    section.scrollIntoView({ block: "start" });
    part("title").focus({ preventScroll: true });
    try {
      const found = await get(section.dataset.url, stretch, signal);
      if (found.refused) { part("status").textContent = found.refused; return; }
      fill(found);
      if (found.questions) return; // that model keeps no windows to compare with
      part("alike-status").textContent = "Looking for them …";
      part("alike-windows").replaceChildren();
      fillAlike(await get(section.dataset.alike, stretch, signal));
    } catch (error) {
      if (!signal.aborted) part("status").textContent = `This could not be explained: ${error.message}`;
    }
  }

  const percent = (share) => `${(100 * share).toFixed(share > 0.99 && share < 1 ? 1 : 0)} %`;

  function fill(found) {
    part("title").textContent = `Why “${found.answer}”?`;
    const several = found.in_all > 1 ? ` ${found.windows} of ${found.in_all} windows were looked at; the signal is that of ${found.when}.` : "";
    const instead = found.page_says ? ` The page says “${found.page_says}” there, after the limit, smoothing and corrections; this is about the model’s own guess.` : "";
    part("status").textContent = `${found.stretch}: ${found.answer} ${percent(found.probability)}, then ${found.other} ${percent(found.other_probability)}, by ${found.model}.${several}${instead}`;
    part("signal").replaceChildren(picture(found.signal, found.length_s, found.cells ?? []));
    for (const name of ["legend", "bands", "movement", "features", "alike"]) part(name).hidden = Boolean(found.questions);
    part("questions").hidden = !found.questions;
    part("tested").textContent = found.tested;
    part("body").hidden = false;
    if (found.questions) { fillQuestions(found); return; }
    bars(part("bands"), found.bands);
    part("signal-title").textContent = "Where in the signal";
    part("other-title").textContent = `Why not “${found.other}”?`;
    part("movement").replaceChildren(...found.movement.map((line) => item(line)));
    bars(part("features"), [...found.features, { words: "the network, as a whole", value: found.network }]);
    part("change").textContent = found.change
      ? `With an average movement in ${found.change.cells.length === 1 ? "the part that matters most" : `the ${found.change.cells.length} parts that matter most`}, it would say “${found.change.answer}” (${percent(found.change.probability)}).`
      : "No few parts of the signal decide alone: with an average movement in those that matter most, the answer stays the same.";
  }

  // Of the everyday model: one small question after the other, each with what it was told by.
  function fillQuestions({ questions, change }) {
    part("signal-title").textContent = "The signal";
    part("other-title").textContent = "What was asked";
    const most = Math.max(...questions.flatMap(({ told_by }) => told_by.map(({ value }) => Math.abs(value))), 1e-6);
    part("questions").replaceChildren(...questions.map(({ title, answer, probability, against, told_by }) => {
      const block = document.createElement("div");
      const heading = document.createElement("h4");
      heading.textContent = `${title} ${answer}, ${percent(probability)}`;
      const list = document.createElement("ul");
      list.className = "why-bars";
      bars(list, told_by, most);
      block.append(heading);
      if (against) {
        const words = document.createElement("p");
        words.className = "form-text mt-0 mb-2";
        words.textContent = against;
        block.append(words);
      }
      block.append(list);
      return block;
    }));
    const said = change && (change.answer === "Uncertain" ? "it would be uncertain" : `it would say “${change.answer}”`);
    part("change").textContent = change
      ? `Had it not known ${change.parts.length === 1 ? `the ${change.parts[0].replace(/: (.+)$/, " ($1)")}` : `these ${change.parts.length}, ${said}: ${change.parts.join("; ")}`}${change.parts.length === 1 ? `, ${said}` : ""}.`
      : "No few of these decide alone: without those that matter most, the answer stays the same.";
  }

  function fillAlike({ windows, missing, own, length_s }) {
    part("alike-status").textContent = missing || (windows.length ? "By all features that the model’s head reads, of a few hundred windows that it learnt from. Whose they are is not said." : "");
    const drawn = [["This one", own], ...windows.map(({ activity, signal }) => [activity, signal])];
    part("alike-windows").replaceChildren(...(windows.length ? drawn : []).map(([words, signal]) => {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = words;
      figure.append(caption, picture(signal, length_s, [], ranges(drawn.map(([, each]) => each))));
      return figure;
    }));
  }

  function item(text) {
    const made = document.createElement("li");
    made.textContent = text;
    return made;
  }

  function bars(list, rows, most = Math.max(...rows.map(({ value }) => Math.abs(value)), 1e-6)) {
    list.replaceChildren(...rows.map(({ words, value }) => {
      const made = item("");
      const bar = document.createElement("span");
      bar.className = value < 0 ? "bar against" : "bar";
      bar.style.width = `${(100 * Math.abs(value)) / most}%`;
      const track = document.createElement("span");
      track.className = "track";
      track.append(bar);
      const label = document.createElement("span");
      label.textContent = `${words} `;
      const number = document.createElement("span");
      number.className = "number";
      number.textContent = `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
      made.append(label, number, track);
      return made;
    }));
  }
}

// The lowest and highest value of each sensor over several windows, so that they are drawn on one scale.
function ranges(windows) {
  const found = {};
  for (const { sensor, axes } of windows.flat()) {
    const values = axes.flat();
    const [low, high] = found[sensor] ?? [Infinity, -Infinity];
    found[sensor] = [Math.min(low, ...values), Math.max(high, ...values)];
  }
  return found;
}

// A panel for each sensor, one below the other.
function picture(signal, lengthS, cells, scale = ranges([signal])) {
  const drawn = document.createElement("div");
  const shades = moments(cells);
  const most = Math.max(...shades.map(({ value }) => value), 1e-6);
  for (const { sensor, title, axes } of signal) {
    const words = document.createElement("p");
    words.textContent = title;
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}, ${lengthS} s` });
    for (const { start_s, end_s, value, words: each } of shades.filter((shade) => shade.sensor === sensor && shade.value > 0)) {
      const shade = element("rect", { x: (start_s / lengthS) * WIDTH, y: 0, width: ((end_s - start_s) / lengthS) * WIDTH, height: HEIGHT, class: "shade", "fill-opacity": (0.55 * value) / most });
      shade.append(element("title", {}, each));
      svg.append(shade);
    }
    const [low, high] = scale[sensor];
    const y = (value) => 4 + (HEIGHT - 8) * (1 - (value - low) / (high - low || 1));
    axes.forEach((values, axis) => {
      const points = values.map((value, i) => `${((i / (values.length - 1)) * WIDTH).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      svg.append(element("polyline", { points, class: `line axis-${"xyz"[axis]}` }));
    });
    drawn.append(words, svg);
  }
  return drawn;
}

// What a sensor adds at each moment, over all paces of movement.
function moments(cells) {
  const found = new Map();
  for (const { sensor, band, start_s, end_s, value } of cells) {
    const key = `${sensor} ${start_s}`;
    const shade = found.get(key) ?? { sensor, start_s, end_s, value: 0, words: "" };
    shade.value += value;
    shade.words += `${shade.words && "; "}${band}: ${value.toFixed(1)}`;
    found.set(key, shade);
  }
  return [...found.values()];
}
