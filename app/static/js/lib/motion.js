// The motion sensors of a phone's browser.

// Safari's acceleration has the other sign than the standard (and every other browser).
const turned = /iP(hone|ad|od)/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1) ? -1 : 1;
const RAD = Math.PI / 180;
const axes = (found, names, factor) => (found && names.every((name) => (found[name] ?? null) !== null) ? names.map((name) => factor * found[name]) : null);

// What an event says, each [x, y, z] or null: movement without gravity and the whole acceleration (m/s²), rotation (rad/s).
export const motionOf = ({ acceleration, accelerationIncludingGravity, rotationRate }) => ({
  movement: axes(acceleration, ["x", "y", "z"], turned),
  whole: axes(accelerationIncludingGravity, ["x", "y", "z"], turned),
  rotation: axes(rotationRate, ["beta", "gamma", "alpha"], RAD),
});

// Why this browser gives no motion, "" if it may.
export function noMotion() {
  if (!window.isSecureContext) return "This page is open without HTTPS, and browsers give their motion sensors to pages with HTTPS only. Whoever runs the server can start it with “make run-https”; then open the page by its new address.";
  return "DeviceMotionEvent" in window ? "" : "This browser has no motion sensors. Use a phone.";
}

export async function allowMotion() {
  const asked = DeviceMotionEvent.requestPermission ? await DeviceMotionEvent.requestPermission().catch(() => "refused") : "granted";
  if (asked !== "granted") throw new Error("Motion was not allowed. On an iPhone, close Safari's page, open it again and press Allow; elsewhere, allow motion sensors in the site's settings.");
}
