/** The table of contents follows the reading: the section on screen is marked with aria-current. */

/** `<dl-toc>`: wraps a list of links to sections of this page. */
class Toc extends HTMLElement {
  connectedCallback() {
    /** @type {Map<Element, HTMLAnchorElement>} heading → its link, in the page's order */
    this.links = new Map();
    for (const link of this.querySelectorAll("a")) {
      const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      if (heading) this.links.set(heading, link);
    }
    this.observer = new IntersectionObserver(() => this.follow(), { rootMargin: "0px 0px -70% 0px", threshold: [0, 1] });
    for (const heading of this.links.keys()) this.observer.observe(heading);
    this.follow();
    this.reveal();
  }

  disconnectedCallback() { this.observer.disconnect(); }

  /** Mark the last heading that has passed the upper third of the window. */
  follow() {
    let current = null;
    for (const [heading, link] of this.links) {
      const top = (heading.matches("section") ? heading.firstElementChild || heading : heading).getBoundingClientRect().top;
      if (top > innerHeight * 0.3) break;
      current = link;
    }
    for (const link of this.links.values()) link.toggleAttribute("aria-current", false);
    if (!current) return;
    current.setAttribute("aria-current", "location");
    this.keepInView(current);
  }

  /** @param {HTMLElement} link scrolled into its own list, never the page */
  keepInView(link) {
    const box = /** @type {HTMLElement | null} */ (this.closest(".contents"));
    if (!box || box.contains(document.activeElement)) return;
    const place = link.getBoundingClientRect(), frame = box.getBoundingClientRect();
    if (place.top < frame.top + 40 || place.bottom > frame.bottom - 40) {
      box.scrollTop += place.top - frame.top - frame.height / 2;
    }
  }

  /** Bring the current chapter into the list's view when the page opens. */
  reveal() {
    const chapter = /** @type {HTMLElement | null} */ (this.closest("li")?.querySelector("a"));
    if (chapter) this.keepInView(chapter);
  }
}

customElements.define("dl-toc", Toc);
