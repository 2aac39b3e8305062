// The browser's time zone, for readers who have none in the definitions. Pages work without it.
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || document.cookie.includes(`wk_zone=${zone}`)) return;
  const secure = location.protocol === "https:" ? ";secure" : "";
  document.cookie = `wk_zone=${zone};path=/;max-age=31536000;samesite=lax${secure}`;
})();
