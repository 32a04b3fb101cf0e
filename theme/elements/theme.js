/** The theme switch. The reader's system decides until the reader presses it; then the choice is remembered. */

const KEY = "dlbook-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @returns {"light" | "dark"} what the system asks for */
const system = () => (dark.matches ? "dark" : "light");

/** @returns {"light" | "dark"} what the page shows */
const shown = () => /** @type {"light" | "dark"} */ (document.documentElement.dataset.theme || system());

/**
 * Show a theme and remember it; a choice equal to the system's goes back to following the system.
 * @param {"light" | "dark"} theme
 */
function choose(theme) {
  const follows = theme === system();
  if (follows) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (follows) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is blocked: the choice holds for this page only.
  }
  document.dispatchEvent(new CustomEvent("dlbook-theme", { detail: theme }));
}

/** `<dl-theme>`: one toggle button, "Dark theme", pressed or not. */
class Theme extends HTMLElement {
  connectedCallback() {
    this.innerHTML = `<button class="icon-button" type="button" title="Dark theme">
      <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M16.500 12.200A7 7 0 0 1 7.800 3.500a7 7 0 1 0 8.700 8.700Z"/></svg>
      <span class="visually-hidden">Dark theme</span></button>`;
    const button = /** @type {HTMLButtonElement} */ (this.firstElementChild);
    const show = () => button.setAttribute("aria-pressed", String(shown() === "dark"));
    button.addEventListener("click", () => choose(shown() === "dark" ? "light" : "dark"));
    document.addEventListener("dlbook-theme", show);
    dark.addEventListener("change", show);
    show();
  }
}

customElements.define("dl-theme", Theme);
