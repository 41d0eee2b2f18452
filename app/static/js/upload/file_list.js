// What becomes of each of several files, below the form that sends them.
export class FileList {
  #lines;

  constructor(element, files) {
    this.#lines = files.map((file) => {
      const line = document.createElement("li");
      const [name, state] = [document.createElement("strong"), document.createElement("span")];
      name.textContent = file.name;
      state.textContent = "waits";
      line.append(name, " ", state);
      return line;
    });
    element.replaceChildren(...this.#lines);
    element.hidden = false;
  }

  // How many lines ask something.
  get asks() {
    return this.#lines.filter((line) => line.dataset.asks).length;
  }

  set(i, state, ...after) {
    delete this.#lines[i].dataset.asks;
    this.#show(i, state, after);
  }

  ask(i, question, ...answers) {
    this.#lines[i].dataset.asks = "yes";
    this.#show(i, question, answers);
  }

  #show(i, text, after) {
    this.#lines[i].lastElementChild.replaceChildren(text, ...after.flatMap((element) => [" ", element]));
  }
}
