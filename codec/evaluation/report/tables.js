// Tables that sort by their heads, and the one of every picture, which is made here from the data.

/** The value that a cell sorts by: its number where it is one. What is missing sorts last, up and down. */
function sortValue(text) {
  if (text === "∞" || text === "inf") return Infinity;
  const number = Number(text.replace(/,/g, ""));
  return text === "" || text === "–" || text === "-" ? null : Number.isNaN(number) ? text : number;
}

function compare(a, b, falling) {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return falling ? -order : order;
}

/** Makes a button of each head; a click calls `sort(column, falling)`. */
function sortableHeads(table, sort) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      sort(column, falling);
    });
  });
}

for (const table of document.querySelectorAll("table.sortable")) {
  sortableHeads(table, (column, falling) => {
    const rows = [...table.tBodies[0].rows].map((row) => [sortValue(row.cells[column].textContent.trim()), row]);
    rows.sort((a, b) => compare(a[0], b[0], falling));
    for (const [, row] of rows) row.classList.remove("group");
    table.tBodies[0].append(...rows.map(([, row]) => row));
  });
}

// ---- every picture
const PAGE_ROWS = 60;
const images = { codec: "all", points: data.targets.length ? String(data.targets[0]) : "settings", column: 1, falling: false, count: PAGE_ROWS };
images.columns = [
  { title: "picture", of: (r) => data.pictures[r[1]][0], head: true },
  { title: "codec", of: (r) => data.codecs[r[0]].title },
  { title: "setting", of: (r) => (r[2] === null ? null : +r[2].toPrecision(5)), n: true },
  { title: "bpp", of: (r) => r[4], digits: 4, n: true },
  ...data.metrics.map((m, i) => (m.key === "ms_ssim"
    ? { title: "MS-SSIM", of: (r) => r[8 + i], digits: 4, n: true }
    : { title: m.title, of: (r) => r[8 + i], digits: m.digits, n: true })),
  { title: "bytes", of: (r) => r[5], digits: 0, n: true },
  // The times of a comparison of one picture include the search for its bytes: no speeds.
  ...(data.codecs.some((c) => c.points.length) ? [
    { title: "encode MP/s", of: (r) => r[6], speed: true, n: true },
    { title: "decode MP/s", of: (r) => r[7], speed: true, n: true },
  ] : []),
];

images.rows = () => {
  const target = images.points === "settings" ? null : Number(images.points);
  const column = images.columns[images.column];
  const value = (row) => { const v = column.of(row); return v === "inf" ? Infinity : v === undefined ? null : v; };
  return data.rows
    .filter((r) => r[3] === target && (images.codec === "all" || data.codecs[r[0]].name === images.codec))
    .map((row) => [value(row), row])
    .sort((a, b) => compare(a[0], b[0], images.falling))
    .map(([, row]) => row);
};

images.cell = (column, row) => {
  const value = column.of(row);
  const text = column.speed ? speedText(value) : column.digits !== undefined ? figure(value, column.digits) : value === null ? "–" : String(value);
  return make(column.head ? "th" : "td", column.head ? { scope: "row" } : column.n ? { class: "n" } : {}, text);
};

images.draw = () => {
  const rows = images.rows(), shown = rows.slice(0, images.count);
  byId("image-table").tBodies[0].replaceChildren(...shown.map((row) => make("tr", {}, ...images.columns.map((c) => images.cell(c, row)))));
  byId("image-count").textContent = `${shown.length} of ${rows.length} rows`;
  byId("image-more").hidden = shown.length === rows.length;
};

images.again = () => { images.count = PAGE_ROWS; images.draw(); };
byId("image-table").tHead.append(make("tr", {}, ...images.columns.map((c) => make("th", c.n ? { scope: "col", class: "n" } : { scope: "col" }, c.title))));
sortableHeads(byId("image-table"), (column, falling) => { Object.assign(images, { column, falling }); images.again(); });
byId("image-table").tHead.rows[0].cells[0].setAttribute("aria-sort", "ascending");
images.column = 0;
select(byId("image-codec"), [["all", "all codecs"], ...data.codecs.map((c) => [c.name, c.title])], images.codec, (v) => { images.codec = v; images.again(); });
select(byId("image-points"), [...data.targets.map((t) => [String(t), `at ${t} bpp`]), ...(data.codecs.some((c) => c.points.length) ? [["settings", "at fixed settings"]] : [])], images.points, (v) => { images.points = v; images.again(); });
byId("image-more").addEventListener("click", () => { images.count += 4 * PAGE_ROWS; images.draw(); });
images.draw();
