// Moments are stored in UTC and shown on the reader's own clock, in the words of the rest of the page.
export function showMoments(root = document) {
  for (const element of root.querySelectorAll("time.moment:not([title])")) {
    element.title = element.textContent;
    element.textContent = new Date(element.dateTime).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  }
}
