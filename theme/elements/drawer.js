/** The contents as a drawer on narrow screens: the rest of the page is inert while it is open; Escape closes it. */

const menu = /** @type {HTMLElement | null} */ (document.querySelector(".menu"));
const contents = document.getElementById("contents");
const narrow = matchMedia("(max-width: 999px)");

/** @returns {boolean} */
const isOpen = () => document.documentElement.classList.contains("drawer-open");

/**
 * Open or close the drawer.
 * @param {boolean} open
 * @param {boolean} [moveFocus] whether the focus follows: into the drawer, or back to the button
 */
function toggle(open, moveFocus = true) {
  document.documentElement.classList.toggle("drawer-open", open);
  menu.setAttribute("aria-expanded", String(open));
  for (const rest of document.querySelectorAll("main, .foot, .skip")) rest.toggleAttribute("inert", open);
  if (!moveFocus) return;
  if (open) /** @type {HTMLElement} */ (contents.querySelector("[aria-current=page]") || contents).focus();
  else menu.focus();
}

/** The link to the contents becomes a button: with a script it opens a drawer and goes nowhere. */
function becomeButton() {
  menu.removeAttribute("href");
  menu.setAttribute("role", "button");
  menu.setAttribute("aria-expanded", "false");
  menu.tabIndex = 0;
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    toggle(!isOpen());
  });
}

if (menu && contents) {
  becomeButton();
  menu.addEventListener("click", (event) => { event.preventDefault(); toggle(!isOpen()); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && isOpen()) toggle(false); });
  document.addEventListener("click", (event) => {
    if (isOpen() && event.target instanceof Node && !contents.contains(event.target)
        && !menu.closest(".bar").contains(event.target)) toggle(false);
  });
  contents.addEventListener("click", (event) => {
    if (isOpen() && event.target instanceof Element && event.target.closest("a")) toggle(false, false);
  });
  narrow.addEventListener("change", () => { if (isOpen()) toggle(false, false); });
}
