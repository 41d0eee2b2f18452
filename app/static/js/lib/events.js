// Follow server-sent events: `takers` has a function a kind of event, which gets its data. While the page is hidden it lets
// go of the connection (a browser opens few to a host) and then asks for what it missed. `told` is called with "open",
// "lost" or "over", and in how many words the page should say it.
export function follow(address, takers, told = () => {}) {
  let source = null;
  let last = "";
  let over = false;

  function open() {
    if (source || over) return;
    source = new EventSource(last ? `${address}?last=${last}` : address);
    source.addEventListener("open", () => told("open", "Connected"));
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) told("lost", "The connection is lost; trying again …");
      else end("The connection has ended. Load the page again.");
    });
    source.addEventListener("closed", (event) => {
      const { reason } = JSON.parse(event.data);
      end(reason === "elsewhere" ? "This page was opened too often; this one no longer follows. Load it again to follow here." : "Your session has ended. Log in again.");
    });
    for (const [kind, taker] of Object.entries(takers)) {
      source.addEventListener(kind, (event) => {
        last = event.lastEventId || last;
        taker(JSON.parse(event.data));
      });
    }
  }

  function close() {
    source?.close();
    source = null;
  }

  function end(words) {
    over = true;
    close();
    told("over", words);
  }

  document.addEventListener("visibilitychange", () => (document.visibilityState === "hidden" ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
}
