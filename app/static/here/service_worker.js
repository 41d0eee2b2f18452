// Answers for the page when there is no network, with what the page has kept (page.js). With a network, it is asked.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET") return;
  event.respondWith(fetch(event.request).catch(async () => (await caches.match(event.request, { cacheName: "kinelab-here", ignoreVary: true })) ?? Response.error()));
});
