// Curves over rate, and speed against BD-rate: both are drawn anew at the width that there is.
const MARKS = {
  circle: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  square: (r) => `M${-r * 0.9} ${-r * 0.9}h${1.8 * r}v${1.8 * r}h${-1.8 * r}z`,
  triangle: (r) => `M0 ${-1.15 * r}L${1.1 * r} ${0.85 * r}H${-1.1 * r}z`,
  diamond: (r) => `M0 ${-1.25 * r}L${1.1 * r} 0L0 ${1.25 * r}L${-1.1 * r} 0z`,
  down: (r) => `M0 ${1.15 * r}L${1.1 * r} ${-0.85 * r}H${-1.1 * r}z`,
  cross: (r) => {
    const a = r * 0.42, b = r * 1.05;
    return `M${-a} ${-b}H${a}V${-a}H${b}V${a}H${a}V${b}H${-a}V${a}H${-b}V${-a}H${-a}z`;
  },
  star: (r) => Array.from({ length: 10 }, (_, i) => {
    const angle = (i * Math.PI) / 5, size = i % 2 ? 0.72 * r : 1.7 * r;
    return `${i ? "L" : "M"}${(size * Math.sin(angle)).toFixed(2)} ${(-size * Math.cos(angle)).toFixed(2)}`;
  }).join("") + "z",
};
const mark = (curve, r) => MARKS[curve.single ? "star" : curve.marker](r);
const looks = (curve) => `${curve.strong ? "strong" : ""} ${curve.dotted ? "dotted" : ""}`.trim();

/** Round ticks of a linear axis, at most `most`. */
function linearTicks(low, high, most) {
  const rough = (high - low) / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((s) => s * power >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high + 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
  return ticks;
}

/** Round ticks of a log axis: the most that stay at least `gap` pixels apart. */
function logTicks(low, high, width, gap) {
  let best = [low, high];
  for (const steps of [[1, 10], [1, 3], [1, 2, 5], [1, 2, 4, 6], [1, 1.5, 2, 3, 4, 6, 8]]) {
    const ticks = [];
    for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high) + 1; p++) {
      for (const s of steps) {
        const tick = +(s * 10 ** p).toPrecision(6);
        if (tick >= low && tick <= high && !ticks.includes(tick)) ticks.push(tick);
      }
    }
    const apart = (a, b) => (Math.log(b / a) / Math.log(high / low)) * width;
    if (ticks.every((t, i) => !i || apart(ticks[i - 1], t) >= gap) && ticks.length > 1) best = ticks;
  }
  return best;
}

/** A chart that redraws itself. `plan()` gives {x, y: {low, high, log, title, text}, curves, empty}. */
class Chart {
  constructor(box, readout, label, plan) {
    Object.assign(this, { box, readout, label, plan, at: null });
    this.svg = make("svg", { tabindex: "0", role: "application", "aria-label": label });
    this.tip = make("div", { class: "tip" });
    this.tip.hidden = true;
    box.replaceChildren(this.svg, this.tip);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerdown", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") this.choose(null); });
    this.svg.addEventListener("blur", () => this.choose(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => { if (box.clientWidth !== this.width) this.draw(); }).observe(box);
    addEventListener("beforeprint", () => this.choose(null));
  }

  draw() {
    this.width = this.box.clientWidth;
    const plan = this.plan();
    const width = Math.max(this.width, 280), height = Math.round(Math.min(560, Math.max(320, width * 0.56)));
    const left = 52, right = 14, top = 14, bottom = 50;
    const inner = { left, right: width - right, top, bottom: height - bottom };
    const place = (axis, from, to) => (value) => {
      const f = axis.log ? Math.log : (v) => v;
      return from + ((f(value) - f(axis.low)) / (f(axis.high) - f(axis.low))) * (to - from);
    };
    const x = place(plan.x, inner.left, inner.right), y = place(plan.y, inner.bottom, inner.top);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const clip = `${this.box.id}-clip`;
    const area = { x: inner.left, y: inner.top, width: inner.right - inner.left, height: inner.bottom - inner.top };
    const parts = [make("clipPath", { id: clip }, make("rect", area)), this.axes(plan, inner, x, y)];
    const group = make("g", { "clip-path": `url(#${clip})` });
    // Ours last: above the others.
    const order = [...plan.curves].sort((a, b) => (a.strong || 0) - (b.strong || 0) || (b.dotted || 0) - (a.dotted || 0));
    for (const curve of order) group.append(this.curve(curve, x, y, plan.named ? 1.5 : 1));
    this.ring = make("circle", { class: "ring", r: 9, visibility: "hidden" });
    this.names = make("g");
    parts.push(group, this.names, this.ring);
    this.svg.replaceChildren(...parts);
    // What can be pointed at: inside the frame, in the order of the legend.
    const inside = (p) => p.px >= inner.left - 1 && p.px <= inner.right + 1 && p.py >= inner.top - 1 && p.py <= inner.bottom + 1;
    this.curves = plan.curves
      .map((curve) => ({ curve, points: curve.points.map((p) => ({ ...p, px: x(p.x), py: y(p.y) })).filter(inside) }))
      .filter((c) => c.points.length);
    if (plan.named) this.name(inner);
    if (!this.curves.length) {
      this.names.append(make("text", { x: width / 2, y: height / 2, "text-anchor": "middle", class: "name" }, plan.empty));
    }
    this.choose(null);
  }

  axes(plan, inner, x, y) {
    const group = make("g", { "aria-hidden": "true" });
    const width = inner.right - inner.left;
    const xs = plan.x.log ? logTicks(plan.x.low, plan.x.high, width, 42) : linearTicks(plan.x.low, plan.x.high, width / 64);
    for (const tick of xs) {
      const px = x(tick);
      group.append(make("line", { class: "grid", x1: px, x2: px, y1: inner.top, y2: inner.bottom }));
      group.append(make("text", { x: px, y: inner.bottom + 18, "text-anchor": "middle" }, String(tick)));
    }
    for (const tick of linearTicks(plan.y.low, plan.y.high, (inner.bottom - inner.top) / 46)) {
      const py = y(tick);
      group.append(make("line", { class: "grid", x1: inner.left, x2: inner.right, y1: py, y2: py }));
      group.append(make("text", { x: inner.left - 8, y: py + 4, "text-anchor": "end" }, String(tick).replace("-", "−")));
    }
    const frame = `M${inner.left} ${inner.top}V${inner.bottom}H${inner.right}`;
    group.append(make("path", { class: "axis", d: frame, fill: "none" }));
    const middle = (inner.top + inner.bottom) / 2;
    group.append(make("text", { class: "axis-title", x: (inner.left + inner.right) / 2, y: inner.bottom + 40, "text-anchor": "middle" }, plan.x.title));
    group.append(make("text", { class: "axis-title", transform: `translate(14 ${middle}) rotate(-90)`, "text-anchor": "middle" }, plan.y.title));
    return group;
  }

  curve(curve, x, y, size) {
    const group = make("g", { class: looks(curve), color: curve.color, "data-curve": curve.title });
    const d = curve.points.map((p, i) => `${i ? "L" : "M"}${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)}`).join("");
    if (curve.points.length > 1) group.append(make("path", { class: "curve", d }));
    for (const p of curve.points) {
      group.append(make("path", { class: "mark", transform: `translate(${x(p.x).toFixed(1)} ${y(p.y).toFixed(1)})`, d: mark(curve, size * (curve.strong ? 5.5 : 4.2)) }));
    }
    return group;
  }

  /** Writes each single point's name beside it where it covers no other name and no other point. */
  name(inner) {
    const taken = this.curves.flatMap((c) => c.points.map((p) => [p.px - 8, p.py - 8, p.px + 8, p.py + 8]));
    for (const { curve, points: [p] } of this.curves) {
      const text = make("text", { class: "name" }, curve.title);
      this.names.append(text);
      const w = text.getComputedTextLength(), places = [[12, 4.5], [-12 - w, 4.5], [-w / 2, -13], [-w / 2, 23], [9, -9], [9, 18], [-w * 0.3, 23], [-w * 0.8, -13], [-w * 0.3, -13]];
      const box = ([dx, dy]) => [p.px + dx - 1, p.py + dy - 11, p.px + dx + w + 1, p.py + dy + 3];
      const free = places.find((place) => {
        const [a, b, c, d] = box(place);
        return a > inner.left + 2 && c < inner.right + 10 && b > inner.top - 8 && d < inner.bottom - 2
          && taken.every(([e, f, g, h]) => c < e || a > g || d < f || b > h);
      });
      if (!free) { text.remove(); continue; }
      taken.push(box(free));
      text.setAttribute("x", p.px + free[0]);
      text.setAttribute("y", p.py + free[1]);
    }
  }

  point(event) {
    const box = this.svg.getBoundingClientRect(), scale = this.svg.viewBox.baseVal.width / box.width;
    const px = (event.clientX - box.left) * scale, py = (event.clientY - box.top) * scale;
    let best = null, distance = 45;
    this.curves.forEach((c, i) => c.points.forEach((p, j) => {
      const d = Math.hypot(p.px - px, p.py - py);
      if (d < distance) { distance = d; best = [i, j]; }
    }));
    this.choose(best);
  }

  key(event) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Escape: null }[event.key];
    if (step === undefined || !this.curves.length) return;
    event.preventDefault();
    if (step === null) { this.choose(null); return; }
    if (!this.at) { this.choose([0, 0]); return; }
    const i = (this.at[0] + step[0] + this.curves.length) % this.curves.length;
    const count = this.curves[i].points.length;
    this.choose([i, Math.min(count - 1, Math.max(0, this.at[1] + step[1]))]);
  }

  choose(at) {
    this.at = at;
    this.tip.hidden = !at;
    this.ring.setAttribute("visibility", at ? "visible" : "hidden");
    if (!at) return;
    const { curve, points } = this.curves[at[0]], p = points[at[1]];
    this.ring.setAttribute("cx", p.px);
    this.ring.setAttribute("cy", p.py);
    const lines = p.lines.map((line) => make("span", {}, line, make("br")));
    this.tip.replaceChildren(make("b", {}, curve.title + (curve.dotted ? " (published)" : "")), ...lines);
    this.readout.textContent = `${curve.title}${curve.dotted ? " (published)" : ""}: ${p.lines.join(", ")}`;
    const w = this.tip.offsetWidth, h = this.tip.offsetHeight;
    this.tip.style.left = `${Math.min(Math.max(p.px - w / 2, 0), this.width - w)}px`;
    this.tip.style.top = `${p.py - h - 14 > 0 ? p.py - h - 14 : p.py + 14}px`;
  }
}

const metricOf = (key) => data.metrics.find((m) => m.key === key);
const valueText = (m, value) => `${m.title.replace(" (dB)", "")} ${figure(value, m.digits)}${m.title.endsWith("(dB)") ? " dB" : ""}`;
const metricOptions = data.metrics.map((m) => [m.key, m.title]);

// ---- curves over rate
const rd = { metric: data.metrics[0].key, log: true, hidden: new Set() };
rd.all = [
  ...data.codecs.map((c) => ({ ...c, id: `codec ${c.name}`, single: c.points.length === 1 })),
  ...data.published.map((c, i) => ({ ...c, id: `published ${i}`, dotted: true })),
];
rd.points = (curve) => {
  const m = metricOf(rd.metric);
  if (curve.dotted) {
    return (curve.values[m.key] || []).map(([bpp, value]) => ({
      x: bpp, y: value, lines: [`${bpp.toFixed(3)} bpp`, valueText(m, value)],
    })).filter((p) => Number.isFinite(p.y));
  }
  return curve.points.filter((p) => Number.isFinite(p.values[m.key])).map((p) => ({
    x: p.bpp,
    y: p.values[m.key],
    lines: [
      curve.single ? "its one rate" : `setting ${+p.setting.toPrecision(6)}`, `${p.bpp.toFixed(3)} bpp`,
      valueText(m, p.values[m.key]),
      ...(p.pictures < data.pictures.length ? [`${p.pictures} of ${data.pictures.length} pictures`] : []),
    ],
  }));
};
rd.plan = () => {
  const curves = rd.all.filter((c) => !rd.hidden.has(c.id)).map((c) => ({ ...c, points: rd.points(c) }));
  // What others printed may reach further than what was measured: it decides the range only when it is alone.
  const deciding = curves.some((c) => !c.dotted && c.points.length) ? curves.filter((c) => !c.dotted) : curves;
  const every = deciding.flatMap((c) => c.points);
  const within = every.filter((p) => p.x >= data.range[0] && p.x <= data.range[1]);
  const points = within.length ? within : every.length ? every : [{ x: 0.1, y: 0 }, { x: 1, y: 1 }];
  const xs = points.map((p) => p.x), ys = points.map((p) => p.y);
  const room = 0.05 * (Math.max(...ys) - Math.min(...ys)) || 1;
  return {
    curves,
    empty: every.length ? "" : "No curve has this metric, or all are hidden.",
    x: {
      low: rd.log ? Math.min(...xs) / 1.1 : 0, high: Math.max(...xs) * (rd.log ? 1.1 : 1.04), log: rd.log,
      title: rd.log ? "bits per pixel (log scale)" : "bits per pixel",
    },
    y: {
      low: Math.min(...ys) - room, high: Math.max(...ys) + room,
      title: metricOf(rd.metric).title + (metricOf(rd.metric).rising ? "" : ", lower is better"),
    },
  };
};
rd.chart = new Chart(byId("rd"), byId("rd-readout"), "Rate-distortion curves; arrow keys go from point to point", rd.plan);
choice(byId("rd-metric"), metricOptions, rd.metric, (key) => { rd.metric = key; rd.chart.draw(); });
choice(byId("rd-scale"), [["log", "log"], ["linear", "linear"]], "log", (v) => { rd.log = v === "log"; rd.chart.draw(); });
for (const curve of [...rd.all].sort((a, b) => (b.strong || 0) - (a.strong || 0))) {
  const line = curve.single ? [] : [make("path", { class: "curve", d: "M2 9H32" })];
  const sample = make("svg", { viewBox: "0 0 34 18", "aria-hidden": "true" },
    make("g", { class: looks(curve), color: curve.color }, ...line, make("path", { class: "mark", transform: "translate(17 9)", d: mark(curve, curve.strong ? 5.5 : 4.2) })));
  const button = make("button", { type: "button", "aria-pressed": "true" }, sample, make("span", {}, curve.title + (curve.dotted ? " (published)" : "")));
  button.addEventListener("click", () => {
    const hide = !rd.hidden.has(curve.id);
    if (hide) rd.hidden.add(curve.id); else rd.hidden.delete(curve.id);
    button.setAttribute("aria-pressed", String(!hide));
    rd.chart.draw();
  });
  byId("rd-legend").append(make("li", {}, button));
}

// ---- speed against BD-rate
const race = { side: 1, metric: data.metrics[0].key, anchor: data.dials.includes("jpeg") ? "jpeg" : data.dials[data.dials.length - 1] };
race.plan = () => {
  const rates = new Map((data.bd[race.metric] || []).filter(([, a]) => a === race.anchor).map(([t, , v]) => [t, v]));
  if (rates.size) rates.set(race.anchor, 0);
  const curves = data.codecs.filter((c) => rates.has(c.name) && c.speed).map((c) => ({
    ...c,
    points: [{
      x: c.speed[race.side], y: rates.get(c.name),
      lines: [c.name === race.anchor ? "the anchor" : `BD-rate ${percentText(rates.get(c.name))}`, `encode ${speedText(c.speed[0])} MP/s`, `decode ${speedText(c.speed[1])} MP/s`],
    }],
  }));
  const points = curves.length ? curves.map((c) => c.points[0]) : [{ x: 1, y: 0 }, { x: 10, y: 1 }];
  const xs = points.map((p) => p.x), ys = points.map((p) => p.y);
  const room = 0.2 * (Math.max(...ys) - Math.min(...ys)) || 5;
  return {
    curves,
    named: true,
    empty: "No codec has a BD-rate against this anchor.",
    x: { low: Math.min(...xs) / 2, high: Math.max(...xs) * 2, log: true, title: `${race.side ? "decode" : "encode"}, megapixels a second (log scale)` },
    y: { low: Math.min(...ys) - room, high: Math.max(...ys) + room, title: "BD-rate (%), lower is better" },
  };
};
race.chart = new Chart(byId("speed-chart"), byId("speed-readout"), "Speed against BD-rate; arrow keys go from codec to codec", race.plan);
choice(byId("speed-side"), [["decode", "decode"], ["encode", "encode"]], "decode", (v) => { race.side = v === "decode" ? 1 : 0; race.chart.draw(); });
choice(byId("speed-metric"), metricOptions, race.metric, (key) => { race.metric = key; race.chart.draw(); });
select(byId("speed-anchor"), data.codecs.filter((c) => data.dials.includes(c.name)).map((c) => [c.name, c.title]), race.anchor, (v) => { race.anchor = v; race.chart.draw(); });
