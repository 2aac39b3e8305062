// The room of an incident: commands that fit what one types, what they answer, and files that are
// pasted or dropped. The room works without it.
(() => {
  const form = document.querySelector("form[data-room]");
  const hints = document.getElementById("hints");
  if (!form || !hints) return;
  const text = form.elements.text;
  const all = [...hints.querySelectorAll("[data-command]")];
  const fitting = () => all.filter(button => !button.hidden);

  function show() {
    const typed = /^\/([a-z?]*)(\s.*)?$/is.exec(text.value);
    const name = typed?.[1].toLowerCase() ?? "";
    const whole = typed?.[2] !== undefined;
    for (const button of all) {
      const its = button.dataset.command;
      button.hidden = !typed || !(whole ? its === name : its.startsWith(name));
      button.classList.remove("is-first");
    }
    const found = fitting();
    hints.hidden = !found.length;
    if (!whole) found[0]?.classList.add("is-first");
  }
  function complete(button) {
    text.value = `/${button.dataset.command} `;
    text.focus();
    show();
  }
  text.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show));
  hints.addEventListener("click", event => {
    const button = event.target.closest("[data-command]");
    if (button) complete(button);
  });
  text.addEventListener("keydown", event => {
    const first = hints.querySelector(".is-first:not([hidden])");
    if (event.key === "Escape" && !hints.hidden) { hints.hidden = true; event.stopPropagation(); }
    if (event.key !== "Tab" || event.shiftKey || hints.hidden || !first) return;
    event.preventDefault();
    complete(first);
  });

  // What a command answers is for its writer: beside the forms, not on the timeline.
  const told = document.getElementById("told");
  document.addEventListener("htmx:after:request", event => {
    const ctx = event.detail?.ctx;
    if (ctx?.swap !== "none") return;
    const said = ctx.response?.status === 200 ? ctx.text : "";
    told.textContent = said ?? "";
    told.hidden = !said;
  });

  // A picture that is pasted or dropped into the message is attached.
  const attach = document.getElementById("attach");
  function take(event, files) {
    if (!attach || files.length !== 1) return;
    event.preventDefault();
    const held = new DataTransfer();
    held.items.add(files[0]);
    attach.elements.file.files = held.files;
    attach.elements.text.value = text.value.trim();
    text.value = "";
    attach.requestSubmit();
  }
  text.addEventListener("paste", event => take(event, event.clipboardData.files));
  text.addEventListener("dragover", event => { if (event.dataTransfer.types.includes("Files")) event.preventDefault(); });
  text.addEventListener("drop", event => take(event, event.dataTransfer.files));
})();
