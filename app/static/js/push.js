// Messages in this browser: say whether it can, whether it does, and whether what it believes is what Kinelab knows.
const box = document.getElementById("push");
const state = document.getElementById("push-state");
const button = document.getElementById("push-add");

const bytesOf = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (each) => each.charCodeAt(0));

async function shortOf(endpoint) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function say(words, offer = false) {
  state.textContent = words;
  button.hidden = !offer;
}

async function look() {
  if (!window.isSecureContext) return say("A browser shows messages only for pages that come by HTTPS. Ask whoever runs this Kinelab for its HTTPS address.");
  if (!("serviceWorker" in navigator && "PushManager" in window)) return say("This browser cannot show messages. On an iPhone, add Kinelab to the home screen first and open it from there.");
  if (Notification.permission === "denied") return say("This browser was told to show no messages of Kinelab. Allow them in its settings for this site, then load the page again.");
  const registration = await navigator.serviceWorker.getRegistration("/");
  const subscription = await registration?.pushManager.getSubscription();
  if (!subscription) return say("Messages appear on this machine even when no page of Kinelab is open. The browser will ask you to allow them.", true);
  if (!box.dataset.known.split(" ").includes(await shortOf(subscription.endpoint))) return say("This browser looks subscribed, but Kinelab does not know it: nothing arrives here. Subscribe once more.", true);
  return say("This browser is subscribed. Send a test above to see whether messages arrive.");
}

async function subscribe() {
  button.disabled = true;
  try {
    const registration = await navigator.serviceWorker.register(box.dataset.worker, { scope: "/" });
    await navigator.serviceWorker.ready;
    await (await registration.pushManager.getSubscription())?.unsubscribe(); // it may belong to a key of before
    const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(box.dataset.key) });
    const { endpoint, keys } = subscription.toJSON();
    const answers = new URLSearchParams({ csrf_token: box.dataset.csrf, endpoint, p256dh: keys.p256dh, auth: keys.auth });
    const response = await fetch(box.dataset.add, { method: "POST", body: answers, headers: { Accept: "application/json" }, redirect: "manual" });
    if (response.type !== "opaqueredirect") throw new Error((await response.json()).message);
    location.reload();
  } catch (error) {
    say(Notification.permission === "denied" ? "The browser was not allowed to show messages." : `It did not work: ${error.message}`, Notification.permission !== "denied");
  } finally {
    button.disabled = false;
  }
}

button.addEventListener("click", subscribe);
look().catch((error) => say(`This browser cannot say whether it shows messages: ${error.message}`));
