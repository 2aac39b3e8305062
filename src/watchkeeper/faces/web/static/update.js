// A template is put into the form of updates without loading the page again.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-text]");
  if (!link || event.ctrlKey || event.metaKey) return;
  const form = link.closest("form");
  event.preventDefault();
  const text = form.elements.text;
  text.value = text.value.trim() ? `${text.value}\n\n${link.dataset.text}` : link.dataset.text;
  if (form.elements.headline && !form.elements.headline.value) {
    form.elements.headline.value = link.dataset.headline;
  }
  if (form.elements.phase) form.elements.phase.value = link.dataset.phase;
  const more = form.querySelector("details");
  if (more) more.open = true;
  text.focus();
});
