"use strict";

// Before anything is drawn: dark where the reader's system is, light on paper. An ordinary script, so that nothing flashes.
{
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = (isDark) => { document.documentElement.dataset.bsTheme = isDark ? "dark" : "light"; };
  apply(dark.matches && !window.matchMedia("print").matches);
  dark.addEventListener("change", () => apply(dark.matches));
  window.addEventListener("beforeprint", () => apply(false));
  window.addEventListener("afterprint", () => apply(dark.matches));
}
