// The live label, the theme, the keys. Everything here is extra: pages work without it.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const live = () => document.getElementById("live");
  const STALE = 45_000; // three beats missed: the server is there, or not, but nothing comes

  // ---- the live label
  let heard = Date.now();
  let state = "";
  function say(kind, words) {
    const label = live();
    if (!label) return;
    label.classList.toggle("is-on", kind === "on");
    label.classList.toggle("is-off", kind === "off");
    const says = label.querySelector(".says");
    if (says && says.textContent !== words) {
      // Only a change of state is read aloud, not every second's time.
      label.setAttribute("aria-live", kind === state ? "off" : "polite");
      says.textContent = words;
    }
    state = kind;
  }
  function fresh(event) {
    const label = live();
    heard = Date.now();
    try {
      const { as_of } = JSON.parse(event.detail.data);
      if (as_of && as_of !== "00:00:00") label.dataset.asOf = as_of;
    } catch { /* an unknown message still says that the line is up */ }
    say("on", label.dataset.asOf ? `Live, as of ${label.dataset.asOf} UTC` : "Live, waiting for the first measurement");
  }
  function lost() {
    const last = live()?.dataset.asOf;
    say("off", last ? `Connection lost, last data ${last} UTC` : "Connection lost");
  }
  document.addEventListener("revision", fresh);
  document.addEventListener("beat", fresh);
  document.addEventListener("htmx:sse:error", lost);
  document.addEventListener("htmx:sse:before:connection", event => { if (event.detail.connection?.attempt > 0 && !document.hidden) lost(); });
  setInterval(() => { if (!document.hidden && state === "on" && Date.now() - heard > STALE) lost(); }, 5_000);
  // The first connection may fail before the stream's own retries begin.
  document.addEventListener("htmx:error", event => {
    const label = live();
    if (event.target !== label) return;
    lost();
    setTimeout(() => { if (label.isConnected && !label._htmx?.sse) htmx.ajax("GET", label.getAttribute("hx-sse:connect"), { source: label }); }, 3_000);
  });

  // ---- theme
  function dress(theme) {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    for (const button of document.querySelectorAll("[data-theme-set]")) button.setAttribute("aria-pressed", String(button.dataset.themeSet === theme));
    document.dispatchEvent(new CustomEvent("theme"));
  }
  document.addEventListener("click", event => {
    const button = event.target.closest?.("[data-theme-set]");
    if (button) {
      const theme = button.dataset.themeSet;
      const secure = location.protocol === "https:" ? ";secure" : "";
      document.cookie = `wk_theme=${theme};path=/;max-age=${theme ? 31_536_000 : 0};samesite=lax${secure}`;
      dress(theme);
    }
    if (event.target.closest?.("[data-help]")) document.getElementById("help").showModal();
  });

  // ---- keys
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const link = row => row.querySelector("a");
  function move(step) {
    const all = rows().filter(link);
    if (!all.length) return;
    const here = all.findIndex(row => row.contains(document.activeElement));
    const next = all[here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, here + step))];
    link(next).focus();
    next.scrollIntoView({ block: "nearest" });
  }
  const GO = { s: "/", a: "/alerts", i: "/integrations", q: "/silences", h: "/heartbeats", o: "/oncall", v: "/services", m: "/sources" };
  let going = 0;
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (Date.now() - going < 1_500 && GO[event.key]) { location.assign(GO[event.key]); return; }
    going = 0;
    if (event.key === "g") going = Date.now();
    else if (event.key === "/") { const search = document.getElementById("q"); if (search) { event.preventDefault(); search.focus(); search.select(); } }
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (["a", "r", "s"].includes(event.key)) {
      // Answers only where one stands: a key pressed by chance must acknowledge nothing elsewhere.
      const row = document.activeElement?.closest("[data-row]") ?? document.querySelector(".answer");
      row?.querySelector(`[data-key="${event.key}"]`)?.click();
    }
    else if (event.key === "?") document.getElementById("help").showModal();
  });
})();
