// Ask an address for JSON again and again, as long as `take(answer, response)` returns true. While the server does not
// answer, `lost` is called and the next question waits longer; when the session has ended, `loggedOut` is, once. Returns a function that stops it.
export function poll(address, take, { every = 1000, lost = () => {}, loggedOut = () => location.reload() } = {}) {
  let stopped = false;
  const ask = async () => {
    let heard = null;
    try {
      const response = await fetch(typeof address === "function" ? address() : address, { headers: { Accept: "application/json" } });
      if (response.status === 401) return stopped || loggedOut();
      heard = [await response.json(), response];
    } catch {
      if (!stopped) lost();
    }
    if (stopped) return undefined;
    if (heard === null || take(...heard)) setTimeout(ask, heard === null ? 3 * every : every);
    return undefined;
  };
  ask();
  return () => { stopped = true; };
}
