// Shows messages of alarms when no page is open, and leads to the page that they are about.
self.addEventListener("push", (event) => {
  let message = {};
  try { message = event.data?.json() ?? {}; } catch { /* what cannot be read is shown without its words */ }
  event.waitUntil(self.registration.showNotification(message.title || "Kinelab", {
    body: message.body || "There is an alarm. Open Kinelab.",
    tag: message.tag || "kinelab",
    renotify: true,
    requireInteraction: true,
    icon: "/static/favicon.svg",
    data: { url: message.url || "/alarms/" },
  }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const target = new URL(event.notification.data.url, self.location.origin);
  const address = target.origin === self.location.origin ? target.href : `${self.location.origin}/alarms/`;
  event.waitUntil(self.clients.openWindow(address));
});
