// Two versions of a picture under a divider that moves, with zoom. Both lie at the same place; the left one is cut off.
const view = { picture: "", near: 0, left: "", right: "", zoom: "fit", x: 0, y: 0, divider: 0.5 };
view.box = byId("view");

if (view.box) {
  view.layers = { left: byId("image-left"), right: byId("image-right") };
  view.names = [...new Set(data.shown.map(([picture]) => picture))];
  view.rates = [...new Set(data.shown.filter(([, codec]) => codec).map(([, , near]) => near))].sort((a, b) => a - b);
  view.codecs = data.codecs.filter((c) => data.shown.some(([, codec]) => codec === c.name));
  view.size = () => { const [, w, h] = data.pictures.find(([name]) => name === view.picture); return { w, h }; };
  view.title = (codec) => (codec ? data.codecs.find((c) => c.name === codec).title : "Original");
  view.find = (codec) => data.shown.find(([p, c, near]) => p === view.picture && c === codec && (!c || near === view.near));

  /** CSS pixels for one picture pixel. 1:1 is in pixels of the screen. */
  view.scale = () => {
    const { w } = view.size();
    return view.zoom === "fit" ? view.fit.w / w : Number(view.zoom) / devicePixelRatio;
  };

  view.layout = () => {
    const { w, h } = view.size();
    const full = view.box.clientWidth;
    const highest = innerHeight * 0.85;
    const fit = Math.min(full / w, highest / h);
    view.fit = { w: w * fit, h: h * fit };
    view.box.style.height = `${Math.round(view.fit.h)}px`;
    view.place();
  };

  view.place = () => {
    const { w, h } = view.size(), box = { w: view.box.clientWidth, h: view.box.clientHeight };
    const scale = view.scale();
    // A picture smaller than the frame stays in its middle; a larger one never leaves it.
    const held = (at, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at)));
    view.x = held(view.x, w * scale, box.w);
    view.y = held(view.y, h * scale, box.h);
    for (const image of Object.values(view.layers)) {
      image.style.width = `${w}px`;
      image.style.height = `${h}px`;
      image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${scale})`;
      image.classList.toggle("pixels", scale * devicePixelRatio >= 1.99);
    }
    view.box.classList.toggle("enlarged", w * scale > box.w + 1 || h * scale > box.h + 1);
    const cut = view.divider * box.w;
    byId("layer-left").style.clipPath = `inset(0 ${box.w - cut}px 0 0)`;
    byId("divider").style.left = `${cut}px`;
    byId("divider").setAttribute("aria-valuenow", String(Math.round(view.divider * 100)));
  };

  view.say = (side) => {
    const codec = view[side], found = view.find(codec), text = byId(`side-${side}`);
    const detail = !found ? "no picture near this rate" : codec ? `${found[3].toFixed(3)} bpp, ${figure(found[4], 2)} dB` : "uncompressed";
    const off = found && codec && Math.abs(found[3] / view.near - 1) > 0.15 ? [make("span", {}, `not near ${view.near} bpp`)] : [];
    text.replaceChildren(make("b", {}, view.title(codec)), make("span", {}, detail), ...off);
    const image = view.layers[side];
    image.alt = found ? `${view.picture}, ${view.title(codec)}, ${detail}` : "";
    if (!found) image.removeAttribute("src");
    else if (image.getAttribute("src") !== found[5]) image.src = found[5];
  };

  view.zoomTo = (zoom) => {
    const before = view.scale(), centre = { x: view.box.clientWidth / 2, y: view.box.clientHeight / 2 };
    view.zoom = zoom;
    const ratio = view.scale() / before;
    view.x = centre.x - (centre.x - view.x) * ratio;
    view.y = centre.y - (centre.y - view.y) * ratio;
    view.place();
  };

  view.show = () => {
    view.say("left");
    view.say("right");
    view.layout();
  };

  view.step = (by) => {
    const i = (view.names.indexOf(view.picture) + by + view.names.length) % view.names.length;
    view.picture = byId("picture").value = view.names[i];
    view.show();
  };

  view.divide = (to) => { view.divider = Math.min(1, Math.max(0, to)); view.place(); };

  /** Follows a pointer from press to release; `moved(event, dx, dy)` gets the way since the last call. */
  view.drag = (element, accepts, moved) => {
    let last = null;
    element.addEventListener("pointerdown", (event) => {
      if (!accepts(event)) return;
      last = event;
      element.setPointerCapture(event.pointerId);
      event.stopPropagation();
    });
    element.addEventListener("pointermove", (event) => {
      if (!last || event.pointerId !== last.pointerId) return;
      moved(event, event.clientX - last.clientX, event.clientY - last.clientY);
      last = event;
    });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { last = null; });
  };

  view.drag(byId("divider"), () => true, (event) => {
    const box = view.box.getBoundingClientRect();
    view.divide((event.clientX - box.left) / box.width);
  });
  view.drag(view.box, () => view.box.classList.contains("enlarged"), (event, dx, dy) => {
    view.x += dx;
    view.y += dy;
    view.place();
  });
  byId("divider").addEventListener("keydown", (event) => {
    const to = {
      ArrowLeft: view.divider - 0.02, ArrowRight: view.divider + 0.02, ArrowDown: view.divider - 0.02, ArrowUp: view.divider + 0.02,
      PageDown: view.divider - 0.1, PageUp: view.divider + 0.1, Home: 0, End: 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    view.divide(to);
  });
  view.box.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [48, 0], ArrowRight: [-48, 0], ArrowUp: [0, 48], ArrowDown: [0, -48] }[event.key];
    if (!by || !view.box.classList.contains("enlarged")) return;
    event.preventDefault();
    view.x += by[0];
    view.y += by[1];
    view.place();
  });
  byId("picture-before").addEventListener("click", () => view.step(-1));
  byId("picture-after").addEventListener("click", () => view.step(1));

  view.picture = view.names[0];
  view.near = view.rates[0] || 0;
  view.left = (view.codecs.find((c) => !c.peer) || view.codecs[0] || { name: "" }).name;
  view.right = (view.codecs.find((c) => c.peer && c.name !== view.left) || { name: "" }).name;
  const sides = [["", "Original"], ...view.codecs.map((c) => [c.name, c.title])];
  select(byId("picture"), view.names.map((n) => [n, n]), view.picture, (v) => { view.picture = v; view.show(); });
  select(byId("near"), view.rates.map((r) => [String(r), `${r} bpp`]), String(view.near), (v) => { view.near = Number(v); view.show(); });
  select(byId("left"), sides, view.left, (v) => { view.left = v; view.show(); });
  select(byId("right"), sides, view.right, (v) => { view.right = v; view.show(); });
  choice(byId("zoom"), [["fit", "fit"], ["1", "1:1"], ["2", "2×"], ["4", "4×"]], "fit", view.zoomTo);
  new ResizeObserver(() => view.layout()).observe(view.box);
  view.show();
}
