// One picture, compared at the rate of the slider. The server sends one version per line, ours first.
const config = JSON.parse(document.getElementById("config").textContent);
const home = `/c/${config.client}`;
const state = { picture: null, rate: "", versions: new Map(), waiting: null, left: "original", right: "lpcodec" };
const view = { zoom: "fit", x: 0, y: 0, divider: 0.5, flip: false };

const number = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));
const bytes = (value) => `${value.toLocaleString("en")} bytes`;

// Messages

const say = (text, isError = false) => {
  byId("message").hidden = !text;
  byId("message").textContent = text;
  byId("message").classList.toggle("error", isError);
};
const explained = async (response) => {
  try { return (await response.json()).error; } catch { return `the server answered ${response.status}`; }
};

// Pictures in

const send = async (path, body, name) => {
  stop();
  say(`Reading ${name} …`);
  try {
    const headers = { "x-lpcodec": "1", "x-name": encodeURIComponent(name) };
    const response = await fetch(home + path, { method: "PUT", body, headers });
    if (!response.ok) { say(await explained(response), true); return; }
    start(await response.json());
  } catch { say("The server can't be reached.", true); }
};
const open = (file) => {
  if (file.size > config.maxUpload) say(`${file.name} is larger than ${config.maxUpload.toLocaleString("en")} bytes.`, true);
  else send("/picture", file, file.name);
};
const start = (picture) => {
  state.picture = picture;
  state.versions = new Map();
  byId("empty").hidden = true;
  byId("work").hidden = false;
  byId("picture").textContent = `${picture.name}, ${picture.width} × ${picture.height} pixels`;
  state.left = "original";
  state.right = "lpcodec";
  const sides = [["original", "Original"], ...picture.codecs.map((codec) => [codec, titles[codec] || codec])];
  for (const side of ["left", "right"]) {
    byId(side).replaceChildren(...sides.map(([value, text]) => make("option", { value }, text)));
    byId(side).value = state[side];
  }
  Object.assign(view, { zoom: "fit", x: 0, y: 0, divider: 0.5 });
  byId("zoom").querySelector("input").checked = true;
  for (const side of ["left", "right"]) { // of the picture before
    byId(`image-${side}`).removeAttribute("src");
    delete byId(`image-${side}`).dataset.at;
  }
  show();
  compare();
};
const titles = { lpcodec: "lpcodec", avif: "AVIF", webp: "WebP", jpeg: "JPEG", jxl: "JPEG XL" };

// Comparisons

const rateOf = (place) => config.slow * Math.pow(config.fast / config.slow, place / 1000);
config.slow = 0.03;
config.fast = 3;
const stop = () => { if (state.waiting) state.waiting.abort(); state.waiting = null; };

const compare = async () => {
  stop();
  const waiting = (state.waiting = new AbortController());
  const rate = rateOf(Number(byId("bpp").value)).toFixed(3);
  byId("busy").hidden = false;
  try {
    const response = await fetch(`${home}/at/${rate}`, { signal: waiting.signal });
    if (!response.ok) { say(await explained(response), true); return; }
    let isFirst = true;
    for await (const version of lines(response.body)) {
      if (version.error) { say(version.error, true); continue; }
      if (isFirst) { state.rate = rate; state.versions = new Map(); isFirst = false; say(state.picture.notes.join("; ")); }
      state.versions.set(version.codec, version);
      show();
    }
  } catch (error) {
    if (error.name !== "AbortError") say("The server can't be reached.", true);
  } finally {
    if (state.waiting === waiting) { state.waiting = null; byId("busy").hidden = true; }
  }
};
async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}
let timer = 0;
const dragged = () => {
  byId("rate").textContent = `${rateOf(Number(byId("bpp").value)).toFixed(3)} bpp`;
  byId("bpp").setAttribute("aria-valuetext", byId("rate").textContent);
  clearTimeout(timer);
  if (state.picture) timer = setTimeout(compare, 250);
};

// What is shown

const source = (side) => {
  if (state[side] === "original") return `${home}/original.png?${encodeURIComponent(state.picture.name)}`;
  return state.versions.has(state[side]) ? `${home}/at/${state.rate}/${state[side]}.png` : null;
};
const words = (side) => {
  const version = state.versions.get(state[side]);
  if (state[side] === "original") return "uncompressed";
  if (!version) return "…";
  const note = version.note ? `, ${version.note}` : "";
  return `${bytes(version.size)}, ${number(version.psnr, 2)} dB${note}`;
};
const show = () => {
  for (const side of ["left", "right"]) {
    const wanted = source(side), image = byId(`image-${side}`);
    byId(`facts-${side}`).textContent = words(side);
    image.alt = `${state.picture.name}, ${byId(side).selectedOptions[0].textContent}, ${words(side)}`;
    if (wanted && image.dataset.at !== wanted) swap(image, wanted);
  }
  table();
  const ours = state.versions.get("lpcodec");
  byId("download").hidden = !ours;
  if (ours) byId("download").href = `${home}/at/${state.rate}/file.lpc`;
  layout();
};
/** The old picture stays until the new one is decoded, so that nothing flickers while the rate is dragged. */
const swap = async (image, wanted) => {
  image.dataset.at = wanted;
  const next = new Image();
  next.src = wanted;
  try { await next.decode(); } catch { return; }
  if (image.dataset.at === wanted) image.src = wanted;
};
const table = () => {
  const found = [...state.versions.values()];
  const best = (metric) => Math.max(...found.map((v) => (v[metric] === null ? -Infinity : v[metric])));
  const has = found.some((v) => v.ssimulacra2 !== null);
  byId("ssimulacra2").hidden = !has;
  byId("rows").replaceChildren(...state.picture.codecs.map((codec) => {
    const version = state.versions.get(codec);
    const button = make("button", { type: "button", "data-codec": codec }, titles[codec] || codec);
    button.addEventListener("click", () => { byId("right").value = codec; choose("right"); });
    const row = make("tr", {}, make("th", { scope: "row" }, button));
    row.classList.toggle("shown", state.right === codec);
    row.classList.toggle("wait", !version);
    const cells = [["size", 0], ["bpp", 3], ["psnr", 2], ["ms_ssim", 4], ...(has ? [["ssimulacra2", 1]] : [])];
    for (const [metric, digits] of cells) {
      const text = !version ? "…" : metric === "size" ? version.size.toLocaleString("en") : number(version[metric], digits);
      const cell = make("td", { class: metric }, text);
      const rated = metric !== "size" && metric !== "bpp" && found.length > 1;
      if (rated && version && version[metric] !== null && version[metric] === best(metric)) cell.classList.add("best");
      row.append(cell);
    }
    return row;
  }));
};
const choose = (side) => { state[side] = byId(side).value; show(); };

// The two layers, their divider, zoom

const scale = () => (view.zoom === "fit" ? view.fit : Number(view.zoom) / devicePixelRatio);
const layout = () => {
  if (!state.picture) return;
  const { width, height } = state.picture, box = byId("view");
  view.fit = Math.min(box.clientWidth / width, Math.max(240, innerHeight * 0.68) / height);
  box.style.height = `${Math.round(height * view.fit)}px`;
  place();
};
const place = () => {
  const { width, height } = state.picture, box = byId("view"), now = scale();
  view.x = held(view.x, width * now, box.clientWidth);
  view.y = held(view.y, height * now, box.clientHeight);
  for (const side of ["left", "right"]) {
    put(byId(`image-${side}`), width, height, view.x, view.y, now);
  }
  box.classList.toggle("enlarged", width * now > box.clientWidth + 1 || height * now > box.clientHeight + 1);
  const cut = (view.flip ? 0 : view.divider) * box.clientWidth;
  byId("layer-left").style.clipPath = `inset(0 ${box.clientWidth - cut}px 0 0)`;
  byId("divider").style.left = `${view.divider * box.clientWidth}px`;
  byId("divider").setAttribute("aria-valuenow", String(Math.round(view.divider * 100)));
};
const divide = (to) => { view.divider = Math.min(1, Math.max(0, to)); place(); };
const zoomTo = (zoom, at) => {
  const box = byId("view"), before = scale();
  const centre = at || { x: box.clientWidth / 2, y: box.clientHeight / 2 };
  view.zoom = zoom;
  const ratio = scale() / before;
  view.x = centre.x - (centre.x - view.x) * ratio;
  view.y = centre.y - (centre.y - view.y) * ratio;
  byId("zoom").querySelector(`input[value="${zoom}"]`).checked = true;
  place();
};
const ZOOMS = ["fit", "1", "2", "4", "8"];
const zoomBy = (step, at) => {
  const next = ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, ZOOMS.indexOf(view.zoom) + step))];
  if (next !== view.zoom) zoomTo(next, at);
};
drag(byId("divider"), () => true, (event) => {
  const box = byId("view").getBoundingClientRect();
  divide((event.clientX - box.left) / box.width);
});
drag(byId("view"), () => byId("view").classList.contains("enlarged"), (event, dx, dy) => {
  view.x += dx;
  view.y += dy;
  place();
});
byId("view").addEventListener("dblclick", (event) => {
  const box = byId("view").getBoundingClientRect();
  zoomTo(view.zoom === "fit" ? "2" : "fit", { x: event.clientX - box.left, y: event.clientY - box.top });
});
byId("divider").addEventListener("keydown", (event) => {
  const to = {
    ArrowLeft: view.divider - 0.02, ArrowRight: view.divider + 0.02, ArrowDown: view.divider - 0.02, ArrowUp: view.divider + 0.02,
    PageDown: view.divider - 0.1, PageUp: view.divider + 0.1, Home: 0, End: 1,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  divide(to);
});
byId("view").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const by = { ArrowLeft: [48, 0], ArrowRight: [-48, 0], ArrowUp: [0, 48], ArrowDown: [0, -48] }[event.key];
  if (event.key === "+" || event.key === "=") zoomBy(1);
  else if (event.key === "-") zoomBy(-1);
  else if (by && byId("view").classList.contains("enlarged")) { view.x += by[0]; view.y += by[1]; place(); }
  else return;
  event.preventDefault();
});
holdToFlip(byId("flip"), () => false, (on) => { view.flip = on; if (state.picture) place(); });

// Start

byId("zoom").append(...ZOOMS.map((value) => {
  const input = make("input", { type: "radio", name: "zoom", value });
  input.addEventListener("change", () => zoomTo(value));
  return make("label", {}, input, make("span", {}, value === "fit" ? "fit" : value === "1" ? "1:1" : `${value}×`));
}));
for (const side of ["left", "right"]) byId(side).addEventListener("change", () => choose(side));
byId("bpp").value = String(Math.round((1000 * Math.log(0.3 / config.slow)) / Math.log(config.fast / config.slow)));
byId("bpp").addEventListener("input", dragged);
dragged();
for (const id of ["choose", "drop"]) byId(id).addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", () => { if (byId("file").files[0]) open(byId("file").files[0]); byId("file").value = ""; });
addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});
addEventListener("paste", (event) => { if (event.clipboardData.files[0]) open(event.clipboardData.files[0]); });
byId("folder").hidden = !config.folder.length;
byId("folder").append(...config.folder.map((name, index) => {
  const image = make("img", { src: `/folder/${index}.jpg`, alt: "", loading: "lazy" });
  const button = make("button", { type: "button" }, image, make("span", {}, name));
  image.addEventListener("error", () => image.replaceWith(make("em", {}, "can't be read")));
  button.addEventListener("click", () => send(`/folder/${index}`, null, name));
  return make("li", {}, button);
}));
const themes = { light: "Dark", dark: "Light" };
const themed = (theme) => { document.documentElement.dataset.theme = theme; byId("theme").textContent = themes[theme]; };
themed(localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", next);
  themed(next);
});
new ResizeObserver(layout).observe(byId("view"));
addEventListener("resize", layout);
