// The training page: several data sets are tested by data set, one by subject, until a person chooses another way.
const boxes = [...document.querySelectorAll('input[name="dataset"]')];
const protocols = [...document.querySelectorAll('input[name="protocol"]')];
const choose = (name) => protocols.forEach((option) => { option.checked = option.value === name; });
let chosen = false;

protocols.forEach((option) => option.addEventListener("change", () => { chosen = true; }));
boxes.forEach((box) => box.addEventListener("change", () => {
  const several = boxes.filter((other) => other.checked).length > 1;
  const now = protocols.find((option) => option.checked)?.value;
  if (!several && now === "dataset") choose("subject"); // one cannot be left out
  else if (several && !chosen) choose("dataset");
}));
