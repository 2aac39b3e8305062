// Alerts, integrations, silences: copying, and what a refused change says. Pages work without it.
(() => {
  document.addEventListener("click", async event => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      say(button, "Copied");
    } catch { // no clipboard here (plain http): the text is at least chosen
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      say(button, "Press Ctrl+C");
    }
  });
  function say(button, words) {
    const was = button.dataset.was ?? button.innerHTML;
    button.dataset.was = was;
    button.textContent = words;
    button.setAttribute("aria-live", "polite");
    setTimeout(() => { button.innerHTML = was; }, 1_600);
  }
  // A change that is refused says so where one looks.
  document.addEventListener("htmx:response:error", event => {
    const box = document.getElementById("said");
    const ctx = event.detail?.ctx;
    if (!box || !ctx || ctx.swap !== "none") return;
    box.textContent = ctx.text || `The server answered ${ctx.response?.status ?? "nothing"}.`;
    box.hidden = false;
  });
  document.addEventListener("htmx:before:request", event => {
    const box = document.getElementById("said");
    if (box && event.detail?.ctx?.swap === "none") box.hidden = true;
  });
  // What was written and taken is cleared, for the next words.
  document.addEventListener("htmx:after:request", event => {
    const form = event.target.closest?.("form[data-clear]");
    const status = event.detail?.ctx?.response?.status ?? 0;
    if (form && status >= 200 && status < 300) form.reset();
  });
  // Ctrl+Enter sends what one writes.
  document.addEventListener("keydown", event => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.target.closest?.("form[data-clear]")?.requestSubmit();
  });
})();
