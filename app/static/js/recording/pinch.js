// One finger scrolls the page; two move and stretch the time between them.
export function listenForPinch(plot, shown, move) {
  let held = null; // where the fingers were put down, as shares of the plot's width, and what was shown
  const fingers = (event) => {
    const { left, width } = plot.querySelector(".nsewdrag").getBoundingClientRect();
    return [...event.touches].map((touch) => (touch.clientX - left) / width).sort((a, b) => a - b);
  };
  plot.addEventListener("touchstart", (event) => {
    const [from, to] = shown();
    held = event.touches.length === 2 ? { at: fingers(event), from, length: to - from } : null;
    if (held) event.stopPropagation(); // plotly would count two taps
  }, { capture: true, passive: true });
  plot.addEventListener("touchmove", (event) => {
    if (!held || event.touches.length !== 2) return;
    event.preventDefault(); // or the browser enlarges the page
    const now = fingers(event);
    const length = held.length * (held.at[1] - held.at[0]) / Math.max(now[1] - now[0], 0.02);
    const from = held.from + held.at[0] * held.length - now[0] * length;
    move(from, from + length);
  }, { passive: false });
  plot.addEventListener("touchend", () => { held = null; });
}
