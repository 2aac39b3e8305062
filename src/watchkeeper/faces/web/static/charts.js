// The charts of an objective: uPlot in the page's own colours, fed from the JSON in the page.
(() => {
  const FONT = "12px Inter, system-ui, sans-serif";
  const DAY = 86_400;
  const plots = new Map();
  let seen = "";

  function colour(name, thin) {
    const probe = document.createElement("i");
    probe.style.color = thin ? `color-mix(in srgb, var(${name}) 60%, transparent)` : `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }
  const pad = n => String(n).padStart(2, "0");
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const hour = t => { const d = new Date(t * 1000); return `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}`; };
  const day = t => { const d = new Date(t * 1000); return `${d.getUTCDate()} ${MONTHS[d.getUTCMonth()]}`; };
  const times = (u, ticks) => {
    const long = u.scales.x.max - u.scales.x.min > 2 * DAY;
    return ticks.map(t => long ? (t % DAY === 0 ? day(t) : "") : t % DAY === 0 ? day(t) : hour(t));
  };
  function steps(u, axis, min, max) {
    const wanted = (max - min) / Math.max(2, u.bbox.width / devicePixelRatio / 84);
    const step = [300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY].find(s => s >= wanted) ?? 182 * DAY;
    const ticks = [];
    for (let t = Math.ceil(min / step) * step; t <= max; t += step) ticks.push(t);
    return ticks;
  }
  const percent = v => `${+v.toFixed(3)} %`;
  const count = v => v >= 1e6 ? `${+(v / 1e6).toPrecision(3)} M` : v >= 1e3 ? `${+(v / 1e3).toPrecision(3)} k` : String(+v.toPrecision(3));

  // The costliest spends, as bands with their number in the list.
  function marked(marks, named) {
    return { hooks: { drawAxes: u => {
      const c = u.ctx, dpr = devicePixelRatio;
      c.save();
      c.beginPath(); c.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height); c.clip();
      for (const mark of marks) {
        if (mark.to < u.scales.x.min || mark.from > u.scales.x.max) continue;
        const x = Math.round(u.valToPos(mark.from, "x", true));
        const width = Math.max(3 * dpr, u.valToPos(mark.to, "x", true) - x);
        c.fillStyle = colour("--burn-soft");
        c.fillRect(x, u.bbox.top, width, u.bbox.height);
        if (!named) continue;
        c.fillStyle = colour("--burn"); c.font = `650 ${11 * dpr}px Inter, system-ui, sans-serif`;
        const near = x - u.bbox.left < 16 * dpr;
        c.textAlign = near ? "left" : "right";
        c.fillText(mark.label, near ? x + width + 4 * dpr : x - 5 * dpr, u.bbox.top + 12 * dpr);
      }
      c.restore();
    } } };
  }
  // Changes: a dashed line from a shape for each kind, with its words where there is room.
  const SHAPES = {
    deployment: [[0, -1], [1, 0], [0, 1], [-1, 0]], configuration: [[-.8, -.8], [.8, -.8], [.8, .8], [-.8, .8]],
    flag: [[-.9, -1], [1, -.35], [-.4, .25], [-.4, 1], [-.9, 1]], maintenance: [[-1, -.4], [1, -.4], [1, .4], [-1, .4]],
    infrastructure: [[-.5, -.9], [.5, -.9], [1, 0], [.5, .9], [-.5, .9], [-1, 0]],
    several: [[-.3, -1], [.3, -1], [.3, -.3], [1, -.3], [1, .3], [.3, .3], [.3, 1], [-.3, 1], [-.3, .3], [-1, .3], [-1, -.3], [-.3, -.3]],
  };
  function shape(c, kind, x, y, size) {
    c.beginPath();
    if (SHAPES[kind]) { SHAPES[kind].forEach(([dx, dy]) => c.lineTo(x + dx * size, y + dy * size)); c.closePath(); } else c.arc(x, y, size * .8, 0, 7);
    c.fill();
  }
  function changed(marks) {
    return { hooks: { draw: u => {
      const c = u.ctx, dpr = devicePixelRatio, foot = u.bbox.top + u.bbox.height, end = u.bbox.left + u.bbox.width;
      c.save();
      c.font = `${11 * dpr}px Inter, system-ui, sans-serif`; c.textBaseline = "middle"; c.textAlign = "left";
      c.fillStyle = c.strokeStyle = colour("--ink-2"); c.lineWidth = dpr;
      const places = marks.filter(m => m.at >= u.scales.x.min && m.at <= u.scales.x.max).map(m => [m, Math.round(u.valToPos(m.at, "x", true))]);
      places.forEach(([mark, x], i) => {
        const y = foot - 8 * dpr, next = places[i + 1]?.[1] ?? end;
        c.globalAlpha = .5; c.setLineDash([2 * dpr, 3 * dpr]);
        c.beginPath(); c.moveTo(x, u.bbox.top); c.lineTo(x, y); c.stroke();
        c.globalAlpha = 1; shape(c, mark.kind, x, y, 5 * dpr);
        const room = c.measureText(mark.label).width + 20 * dpr, before = places[i - 1]?.[1] ?? u.bbox.left;
        c.textAlign = room < next - x ? "left" : "right";
        if (room < next - x) c.fillText(mark.label, x + 9 * dpr, y);
        else if (next === end && room < x - before) c.fillText(mark.label, x - 9 * dpr, y);
      });
      c.restore();
    } } };
  }
  // What the pointer is on, in words, in the corner of the chart.
  function reading(say) {
    let box;
    return { hooks: {
      init: u => { box = document.createElement("div"); box.className = "reading"; u.over.append(box); },
      setCursor: u => {
        const i = u.cursor.idx;
        box.hidden = i == null || u.cursor.left < 0;
        if (!box.hidden) { box.textContent = say(u, i); box.classList.toggle("left", u.cursor.left > u.over.clientWidth / 2); }
      },
    } };
  }
  function draw(key, rows, options) {
    const box = document.getElementById(`c-${key}`);
    if (!box) return;
    plots.get(key)?.destroy();
    box.replaceChildren();
    const quiet = { stroke: colour("--ink-3"), font: FONT, ticks: { show: false } };
    const plot = new uPlot({
      width: box.clientWidth - 16, height: box.clientHeight, padding: [12, 12, 0, 0], legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false }, sync: options.sync ? { key: options.sync } : undefined },
      plugins: options.plugins, tzDate: t => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
      scales: { x: { time: true }, y: { range: options.range }, ...(options.right ? { [options.right]: { range: options.range } } : {}) },
      axes: [
        { ...quiet, size: 28, grid: { show: false }, splits: steps, values: times },
        { ...quiet, size: 62, grid: { stroke: colour("--line"), width: 1 }, values: (_, v) => v.map(options.format), space: 34, incrs: options.incrs },
        ...(options.right ? [{ ...quiet, scale: options.right, side: 1, size: 52, grid: { show: false }, values: (_, v) => v.map(options.format), space: 34, incrs: options.incrs }] : []),
      ],
      series: [{}, ...options.series.map(s => ({ width: 1.75, points: { show: false }, ...s, stroke: colour(s.ink), fill: s.wash && colour(s.wash, s.thin) }))],
    }, rows, box);
    plots.set(key, plot);
  }
  const INK = { burn: "--burn", spent: "--spent", watch: "--watch", ok: "--ok", none: "--none" };
  const WHOLE = Array.from({ length: 15 }, (_, e) => [1, 2, 5].map(n => n * 10 ** e)).flat();
  const flat = rows => rows.flat().filter(v => v != null);

  function drawAll() {
    const source = document.getElementById("chart-data");
    if (!source || typeof uPlot === "undefined") return;
    const d = JSON.parse(source.textContent);
    const even = { ink: "--ink-3", dash: [4, 4], width: 1.25 };
    const when = t => `${day(t)} ${hour(t)}`;
    draw("budget", d.budget, {
      sync: "window", plugins: [marked(d.marks, true), changed(d.changes.window), reading((u, i) => d.budget[1][i] == null ? `${when(d.budget[0][i])}: no evidence` : `${when(d.budget[0][i])}: ${percent(d.budget[1][i])} left`)],
      series: [{ ink: INK[d.look], wash: `${INK[d.look]}-soft`, thin: true, fillTo: (u, s) => Math.max(0, u.scales.y.min) }, even],
      range: (u, low) => [Math.min(0, Math.floor(low / 10) * 10), 103], format: v => `${Math.round(v)} %`,
    });
    draw("ratio", [...d.ratio, d.ratio[0].map(() => d.target)], {
      sync: "window", plugins: [marked(d.marks, false), changed(d.changes.window), reading((u, i) => `${when(d.ratio[0][i])}: ${d.ratio[1][i] == null ? "no events" : percent(d.ratio[1][i])}`)],
      series: [{ ink: "--accent" }, even],
      range: () => { const low = Math.min(d.target, ...flat([d.ratio[1]])); const room = Math.max(100 - low, (100 - d.target) * 2, 0.0001); return [100 - room * 1.08, 100 + room * 0.06]; },
      format: v => v > 100 ? "" : percent(v),
    });
    // Bad events have their own scale: one in a thousand would not be seen beside all of them.
    const bars = uPlot.paths.bars({ size: [0.85, 24, 2], align: 1 });
    draw("events", [d.events[0], d.events[2], d.events[1]], {
      plugins: [changed(d.changes.minutes), reading((u, i) => d.events[1][i] == null ? `${hour(d.events[0][i])}: no data` : `${hour(d.events[0][i])}: ${count(d.events[2][i])} bad of ${count(d.events[1][i])}`)],
      series: [{ ink: "--burn", wash: "--burn", paths: bars, width: 0 }, { ink: "--ink-3", width: 1.25, scale: "all" }],
      range: (u, low, high) => [0, Math.max(1, (high || 0) * 1.08)], format: count, right: "all", incrs: WHOLE,
    });
  }
  function redraw() {
    const now = document.getElementById("chart-data")?.textContent ?? "";
    if (now !== seen) { seen = now; drawAll(); }
  }
  let resized;
  addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(drawAll, 120); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("theme", drawAll);
  document.addEventListener("htmx:after:swap", redraw);
  document.fonts?.ready.then(drawAll);
  redraw();
})();
