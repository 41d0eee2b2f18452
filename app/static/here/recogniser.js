// Ask the worker: one answer a question, in order.
export class Recogniser {
  constructor(address = new URL("./worker.js", import.meta.url)) {
    this.worker = new Worker(address, { type: "module" });
    this.waiting = new Map();
    this.next = 0;
    this.worker.onmessage = ({ data: { id, fraction, result, error } }) => {
      const asked = this.waiting.get(id);
      if (fraction !== undefined) return asked.tell(fraction);
      this.waiting.delete(id);
      return error === undefined ? asked.resolve(result) : asked.reject(new Error(error));
    };
    this.worker.onerror = () => {
      for (const { reject } of this.waiting.values()) reject(new Error("This browser can't run the model: it needs WebAssembly with SIMD and scripts that are modules."));
      this.waiting.clear();
    };
  }

  ask(task, asked, tell = () => {}) {
    this.next += 1;
    const id = this.next;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, tell });
      this.worker.postMessage({ id, task, ...asked });
    });
  }
}
