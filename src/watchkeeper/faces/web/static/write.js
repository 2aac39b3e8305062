// Writing a postmortem: a finding leads to its line, Ctrl+S saves, nothing unsaved is lost unasked.
// The page works without it.
(() => {
  const form = document.querySelector("[data-write]");
  if (!form) return;
  const box = form.querySelector("textarea");
  const kept = document.getElementById("kept");
  const first = box.value;
  let leaving = false;
  const changed = () => box.value !== first;
  box.addEventListener("input", () => { kept.textContent = changed() ? "not saved yet" : ""; });
  form.addEventListener("submit", () => { leaving = true; });
  addEventListener("beforeunload", event => { if (changed() && !leaving) event.preventDefault(); });
  addEventListener("keydown", event => {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  document.addEventListener("click", event => {
    const button = event.target.closest?.("[data-line]");
    if (!button) return;
    const lines = box.value.split("\n");
    const number = Math.min(Number(button.dataset.line), lines.length);
    const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    box.focus();
    box.setSelectionRange(start, start + lines[number - 1].length);
    // Lines wrap, so their height is only about right: a third of the box is left above.
    const height = box.scrollHeight * (start / Math.max(1, box.value.length));
    box.scrollTop = Math.max(0, height - box.clientHeight / 3);
  });
})();
