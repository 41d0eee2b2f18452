// What the plots of all pages share. Plotly itself is an ordinary script, loaded before the modules run.
export const QUIET = { displayModeBar: false, displaylogo: false, responsive: true, doubleClickDelay: 500 }; // ms, as desktops have it

// A colour of the style sheet: theme("line") is --line.
export const theme = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

export const paper = () => ({
  font: { family: "inherit", size: 12, color: theme("ink-soft") }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
});

export const narrow = matchMedia("(max-width: 575.98px)");
export const isNarrow = () => narrow.matches;

// Plotly reads a little HTML in labels.
export const escapeHtml = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
