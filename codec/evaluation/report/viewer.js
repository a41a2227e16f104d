// Two versions of a picture under a divider that moves, with zoom, a flip and a difference; the same detail of several
// codecs; and all pictures as thumbnails. Both versions are at the same place; the left one is cut off at the divider.
const view = { picture: "", near: 0, left: "", right: "", zoom: "fit", mode: "slider", x: 0, y: 0, divider: 0.5 };
view.box = byId("view");

if (view.box) {
  view.stage = byId("stage");
  view.layers = { left: byId("image-left"), right: byId("image-right") };
  view.names = [...new Set(data.shown.map(([picture]) => picture))];
  view.rates = [...new Set(data.shown.filter(([, codec]) => codec).map(([, , near]) => near))].sort((a, b) => a - b);
  view.codecs = data.codecs.filter((c) => data.shown.some(([, codec]) => codec === c.name));
  view.size = () => { const [, w, h] = data.pictures.find(([name]) => name === view.picture); return { w, h }; };
  view.title = (codec) => (codec ? data.codecs.find((c) => c.name === codec).title : "Original");
  view.find = (codec) => {
    const found = data.shown.find(([p, c, near]) => p === view.picture && c === codec && (!c || near === view.near));
    if (!found) return null;
    const [, , , bpp, psnr, path, bytes, similarity, file] = found;
    return { bpp, psnr, path, bytes, similarity, file };
  };
  view.numbers = (codec, found) => {
    if (!found) return ["no picture near this rate"];
    if (!codec) return ["uncompressed"];
    const quality = found.psnr === "inf" ? "exact" : `${figure(found.psnr, 2)} dB`;
    const similar = found.similarity === null ? "" : `, MS-SSIM ${figure(found.similarity, 4)}`;
    return [`${found.bytes.toLocaleString("en")} bytes, ${found.bpp.toFixed(3)} bpp`, quality + similar];
  };

  /** A line of figures; it breaks between figures and never inside one. */
  view.line = (text) => make("span", {}, ...text.split(", ").flatMap((part, i, all) => [make("span", {}, i + 1 < all.length ? `${part},` : part), " "]));

  /** CSS pixels per picture pixel. 1:1 is in pixels of the screen; "fit" never enlarges. */
  view.scale = () => (view.zoom === "fit" ? view.fit : Number(view.zoom) / devicePixelRatio);

  /** The picture leaves room in the window for the captions and the controls below it. */
  view.layout = () => {
    const { w, h } = view.size();
    const full = view.stage.parentElement.clientWidth, below = byId("sides").offsetHeight + byId("under").offsetHeight + 40;
    const highest = Math.max(Math.min(innerHeight * 0.72, innerHeight - below), 260);
    view.fit = Math.min(full / w, highest / h, 1);
    const wide = view.zoom === "fit" ? Math.round(w * view.fit) : full;
    view.box.style.width = `${wide}px`;
    view.stage.style.width = `${Math.min(full, Math.max(wide, 520))}px`;
    view.box.style.height = `${Math.round(view.zoom === "fit" ? h * view.fit : Math.min(highest, Math.max(h * view.scale(), 160)))}px`;
    view.place();
  };

  view.place = () => {
    const { w, h } = view.size(), box = { w: view.box.clientWidth, h: view.box.clientHeight };
    const scale = view.scale();
    view.x = held(view.x, w * scale, box.w);
    view.y = held(view.y, h * scale, box.h);
    for (const image of Object.values(view.layers)) put(image, w, h, view.x, view.y, scale);
    view.box.classList.toggle("enlarged", w * scale > box.w + 1 || h * scale > box.h + 1);
    view.box.classList.toggle("difference", view.mode === "difference");
    const cut = view.mode === "difference" ? box.w : view.flipped ? 0 : view.divider * box.w;
    byId("layer-left").style.clipPath = `inset(0 ${box.w - cut}px 0 0)`;
    byId("divider").style.left = `${view.divider * box.w}px`;
    byId("divider").setAttribute("aria-valuenow", String(Math.round(view.divider * 100)));
  };

  view.say = (side) => {
    const codec = view[side], found = view.find(codec), text = byId(`side-${side}`);
    const numbers = view.numbers(codec, found);
    const off = found && codec && Math.abs(found.bpp / view.near - 1) > 0.15 ? [`not near ${view.near} bpp`] : [];
    const link = found && found.file
      ? [make("a", { href: found.file, download: `${view.picture}-${codec}.lpc` }, "Download the .lpc file")] : [];
    text.replaceChildren(make("b", {}, view.title(codec)), ...[...numbers, ...off].map(view.line), ...link);
    const image = view.layers[side];
    image.alt = found ? `${view.picture}, ${view.title(codec)}, ${numbers.join(", ")}` : "";
    if (!found) image.removeAttribute("src");
    else if (image.getAttribute("src") !== found.path) image.src = found.path;
  };

  view.zoomTo = (zoom, at) => {
    const before = view.scale(), centre = at || { x: view.box.clientWidth / 2, y: view.box.clientHeight / 2 };
    view.zoom = zoom;
    const ratio = view.scale() / before;
    view.x = centre.x - (centre.x - view.x) * ratio;
    view.y = centre.y - (centre.y - view.y) * ratio;
    view.layout();
  };

  view.show = () => {
    view.say("left");
    view.say("right");
    view.layout();
    view.makeDetails();
    for (const button of byId("thumbnails").querySelectorAll("button")) {
      button.setAttribute("aria-current", String(button.dataset.picture === view.picture));
    }
  };

  view.choosePicture = (name) => {
    view.picture = byId("picture").value = name;
    view.detail = null;
    view.show();
  };
  view.step = (by) => view.choosePicture(view.names[(view.names.indexOf(view.picture) + by + view.names.length) % view.names.length]);
  view.divide = (to) => { view.divider = Math.min(1, Math.max(0, to)); view.place(); };
  view.flip = (on) => {
    view.flipped = on && view.mode === "slider"; // a difference has no sides
    view.stage.classList.toggle("flipped", view.flipped);
    view.place();
  };

  // ---- the same detail of several codecs
  view.panels = ["", ...[data.ours, ["avif-default", "avif"], "jpeg"].flatMap((wanted) => {
    const found = [wanted].flat().find((name) => view.codecs.some((c) => c.name === name));
    return found ? [found] : [];
  })];
  for (const codec of view.codecs) if (view.panels.length < 4 && !view.panels.includes(codec.name)) view.panels.push(codec.name);

  view.makeDetails = () => {
    byId("details").replaceChildren(...view.panels.map((codec) => {
      const found = view.find(codec), numbers = view.numbers(codec, found);
      const image = make("img", { alt: `The detail: ${view.title(codec)}, ${numbers.join(", ")}`, draggable: "false" });
      if (found) image.src = found.path;
      const caption = make("figcaption", {}, make("b", {}, view.title(codec)), ...numbers.map(view.line));
      return make("figure", {}, make("div", { class: "detail" }, image), caption);
    }));
    view.placeDetails();
  };
  view.placeDetails = () => {
    const { w, h } = view.size(), at = view.detail || { x: w / 2, y: h / 2 }, scale = 2;
    for (const panel of byId("details").querySelectorAll(".detail")) {
      const around = (point, size, room) => (size * scale <= room ? (room - size * scale) / 2 : Math.min(0, Math.max(room - size * scale, room / 2 - point * scale)));
      put(panel.firstChild, w, h, around(at.x, w, panel.clientWidth), around(at.y, h, panel.clientHeight), scale);
    }
  };
  view.pointAt = (event) => {
    const box = view.box.getBoundingClientRect(), scale = view.scale();
    view.detail = { x: (event.clientX - box.left - view.x) / scale, y: (event.clientY - box.top - view.y) / scale };
    view.placeDetails();
  };

  drag(byId("divider"), () => true, (event) => {
    const box = view.box.getBoundingClientRect();
    view.divide((event.clientX - box.left) / box.width);
  });
  drag(view.box, (event) => view.box.classList.contains("enlarged"), (event, dx, dy) => {
    view.x += dx;
    view.y += dy;
    view.place();
  });
  view.box.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" && !event.buttons) view.pointAt(event); });
  view.box.addEventListener("click", view.pointAt);
  view.box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // a plain wheel scrolls the page
    event.preventDefault();
    const box = view.box.getBoundingClientRect(), now = view.scale() * devicePixelRatio;
    const zoom = Math.min(8, Math.max(view.fit * devicePixelRatio, now * (event.deltaY < 0 ? 1.25 : 0.8)));
    for (const input of byId("zoom").querySelectorAll("input")) input.checked = Number(input.value) === zoom;
    view.zoomTo(String(zoom), { x: event.clientX - box.left, y: event.clientY - box.top });
  }, { passive: false });
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

  // The lists beside the picture have no names that begin with F: who has just chosen a codec there wants to flip to it.
  holdToFlip(byId("flip"), (element) => element.matches("select:not(#near, #left, #right)"), view.flip);

  byId("picture-before").addEventListener("click", () => view.step(-1));
  byId("picture-after").addEventListener("click", () => view.step(1));

  // ---- thumbnails, by rank where there is one: our best picture first, the worst last
  view.rank = (name) => (data.ranks && data.ranks.percent[name] !== undefined ? data.ranks.percent[name] : null);
  const order = [...view.names].sort((a, b) => compareRanks(view.rank(a), view.rank(b)));
  function compareRanks(a, b) {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    return a - b;
  }
  const ranked = order.filter((name) => view.rank(name) !== null);
  const tag = (name) => (ranked.length < 2 ? "" : name === ranked[0] ? "best" : name === ranked[ranked.length - 1] ? "worst" : "");
  byId("thumbnails").replaceChildren(...order.map((name) => {
    const path = data.thumbnails[name], rank = view.rank(name);
    const button = make("button", { type: "button", "data-picture": name, title: name },
      ...(path ? [make("img", { src: path, alt: "", loading: "lazy" })] : []),
      ...(tag(name) ? [make("em", {}, tag(name))] : []),
      make("span", {}, name), ...(rank === null ? [] : [make("span", { class: "rank" }, percentText(rank))]));
    button.addEventListener("click", () => { view.choosePicture(name); view.box.scrollIntoView({ block: "nearest" }); });
    return make("li", {}, button);
  }));
  byId("ranks").textContent = ranked.length > 1
    ? `Below each name: the bits that ${data.ranks.ours} needs on this picture compared with ${data.ranks.title}, at equal ${data.ranks.metric}. Its best picture comes first, its worst last.` : "";
  byId("thumbnails").hidden = byId("pictures").hidden = order.length < 2;

  view.picture = view.names[0];
  view.near = view.rates[0] || 0;
  view.left = "";
  view.right = (view.codecs.find((c) => c.name === data.ours) || view.codecs.find((c) => !c.peer) || view.codecs[0] || { name: "" }).name;
  const sides = [["", "Original"], ...view.codecs.map((c) => [c.name, c.title])];
  select(byId("picture"), view.names.map((n) => [n, n]), view.picture, (v) => view.choosePicture(v));
  select(byId("near"), view.rates.map((r) => [String(r), `${r} bpp`]), String(view.near), (v) => { view.near = Number(v); view.show(); });
  select(byId("left"), sides, view.left, (v) => { view.left = v; view.show(); });
  select(byId("right"), sides, view.right, (v) => { view.right = v; view.show(); });
  choice(byId("zoom"), [["fit", "fit"], ["1", "1:1"], ["2", "2×"], ["4", "4×"]], "fit", (zoom) => view.zoomTo(zoom));
  choice(byId("mode"), [["slider", "slider"], ["difference", "difference"]], "slider", (mode) => { view.mode = mode; view.place(); });
  new ResizeObserver(() => { view.layout(); view.placeDetails(); }).observe(view.stage.parentElement);
  view.show();
}
