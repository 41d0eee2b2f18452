// Show a share, 0 to 1, on one of Bootstrap's progress bars.
export function showProgress(bar, share) {
  const percent = Math.round(100 * share);
  bar.setAttribute("aria-valuenow", percent);
  bar.querySelector(".progress-bar").style.width = `${percent}%`;
}
