// A status page that stays open is read again each minute, and when somebody comes back to it.
(() => {
  const EVERY = 60_000;
  let read = Date.now();
  const busy = () => {
    const at = document.activeElement;
    const writes = at && at.matches("input, textarea") && at.value;
    return writes || document.querySelector("main details[open]");
  };
  const again = async () => {
    if (document.hidden || Date.now() - read < EVERY || busy()) return;
    read = Date.now();
    try {
      const answer = await fetch(location.pathname, { cache: "no-cache" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = page.querySelector("main");
      if (!main || !page.body.classList.contains("status")) return;
      document.querySelector("main").replaceWith(document.adoptNode(main));
      document.title = page.title;
    } catch {
      // The page says as of when it is.
    }
  };
  setInterval(again, 5_000);
  document.addEventListener("visibilitychange", again);
})();
