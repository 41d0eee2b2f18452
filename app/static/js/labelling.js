// One key an activity: the keys press the buttons, so that what they do is what is seen.
const form = document.getElementById("label-form");
const other = document.getElementById("other");
let isSent = false;

document.addEventListener("keydown", (event) => {
  const inField = event.target.matches("input, select, textarea");
  if (event.key === "Escape" && inField) event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target === other && event.key === "Enter") {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[value=other]"));
    return;
  }
  if (inField) return;
  if (event.key === "n" && other) {
    event.preventDefault();
    other.focus();
    return;
  }
  const onPage = event.target === document.body;
  const button = event.key === "Enter" && onPage
    ? document.querySelector(".label-keys .btn-primary")
    : document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button) {
    event.preventDefault();
    button.click();
  }
});

document.addEventListener("submit", (event) => { // a second press must not name the next stretch unseen
  if (event.defaultPrevented) return;
  if (isSent) event.preventDefault();
  isSent = true;
});
addEventListener("pageshow", () => { isSent = false; });
