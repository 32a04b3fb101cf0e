/** Copy buttons: on every code block its text, on every displayed equation its TeX. */

/**
 * @param {string} text
 * @returns {Promise<void>}
 */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "visually-hidden" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");      // the only way where the clipboard is closed to scripts, as on file:// in some browsers
    area.remove();
  }
}

/**
 * Put a button on a block.
 * @param {Element} host
 * @param {string} label what it copies, for the name of the button
 * @param {() => string} text
 */
function offer(host, label, text) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
  button.setAttribute("aria-label", label);
  button.addEventListener("click", async () => {
    await write(text());
    button.textContent = "Copied";
    button.classList.add("done");
    status.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; button.classList.remove("done"); status.textContent = ""; }, 1600);
  });
  host.classList.add("copy-host");
  host.append(button);
}

const status = Object.assign(document.createElement("div"), { className: "visually-hidden" });
status.setAttribute("role", "status");
document.body.append(status);

for (const code of document.querySelectorAll("main div.sourceCode, main .cell-code:not(.sourceCode, :has(.sourceCode))")) {
  offer(code, "Copy code", () => (code.querySelector("code") || code).textContent.trimEnd());
}

/** The TeX of a formula: an attribute on the embedded engine, an annotation on Quarto; none where it is what is shown. @param {Element} math */
const tex = (math) => (math.dataset.tex ?? math.querySelector('annotation[encoding="application/x-tex"]')?.textContent
  ?? math.textContent.replaceAll("−", "-")).trim();

for (const math of document.querySelectorAll('main math[display="block"]')) {
  const host = math.closest(".equation") || math.parentElement;
  if (!host || host.classList.contains("copy-host")) continue;
  const frame = document.createElement("div");
  frame.className = "equation-host";
  host.replaceWith(frame);
  frame.append(host);
  offer(frame, "Copy equation as TeX", () => tex(math));
}

/** Text that is selected and copied keeps its formulas, as TeX. */
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection || selection.isCollapsed) return;
  const copy = document.createElement("div");
  copy.append(selection.getRangeAt(0).cloneContents());
  const formulas = copy.querySelectorAll("math");
  if (!formulas.length) return;
  for (const math of formulas) {
    const sign = math.getAttribute("display") === "block" ? "$$" : "$";
    math.replaceWith(sign + tex(math) + sign);
  }
  copy.className = "visually-hidden";
  document.body.append(copy);
  event.clipboardData.setData("text/plain", copy.innerText);
  copy.remove();
  event.preventDefault();
});
