/** Tabs after the WAI-ARIA pattern. Without script every panel is shown, one after another, under its name. */

/** `<dl-tabs>`: each `.tab-panel` inside becomes a panel, named by the `.tab-title` that leads it. */
class Tabs extends HTMLElement {
  static count = 0;

  connectedCallback() {
    /** @type {HTMLElement[]} */
    this.panels = [...this.querySelectorAll(":scope > .tab-panel")].map((panel) => /** @type {HTMLElement} */ (panel));
    if (!this.panels.length || this.list) return;
    this.list = document.createElement("div");
    this.list.className = "tab-list";
    this.list.setAttribute("role", "tablist");
    this.tabs = this.panels.map((panel) => this.tab(panel));
    this.list.append(...this.tabs);
    this.list.addEventListener("keydown", (event) => this.move(event));
    this.prepend(this.list);
    this.select(0);
  }

  /**
   * @param {HTMLElement} panel
   * @returns {HTMLButtonElement} its tab
   */
  tab(panel) {
    const id = `tab-${++Tabs.count}`, title = panel.querySelector(".tab-title"), button = document.createElement("button");
    Object.assign(button, { type: "button", id });
    button.append(...(title?.childNodes || [`${Tabs.count}`]));
    button.setAttribute("role", "tab");
    panel.id ||= `${id}-panel`;
    button.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", id);
    panel.tabIndex = 0;
    title?.closest("p")?.remove();
    button.addEventListener("click", () => this.select(this.tabs.indexOf(button)));
    return button;
  }

  /** @param {number} index */
  select(index) {
    this.tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === index));
      tab.tabIndex = i === index ? 0 : -1;
      this.panels[i].hidden = i !== index;
    });
  }

  /** @param {KeyboardEvent} event arrows, Home and End move and select */
  move(event) {
    const last = this.tabs.length - 1, here = this.tabs.findIndex((tab) => tab === document.activeElement);
    const step = { ArrowRight: here === last ? 0 : here + 1, ArrowLeft: here ? here - 1 : last, Home: 0, End: last };
    if (here < 0 || !(event.key in step)) return;
    event.preventDefault();
    const next = step[/** @type {keyof typeof step} */ (event.key)];
    this.select(next);
    this.tabs[next].focus();
  }
}

customElements.define("dl-tabs", Tabs);
