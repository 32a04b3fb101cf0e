/** Loads what a quiz needs, its style and its script, when the reader comes near it: most of a visit happens before. */
const near = new IntersectionObserver(entries => {
  if (!entries.some(entry => entry.isIntersecting)) return;
  near.disconnect();
  const assets = `${document.documentElement.dataset.root ?? ""}assets/`;
  document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${assets}quiz.css` }),
    Object.assign(document.createElement("script"), { src: `${assets}quiz.js` }));
}, { rootMargin: "1500px" });
for (const quiz of document.querySelectorAll("dl-quiz")) near.observe(quiz);
