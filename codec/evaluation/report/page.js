// The page's data, its controls, the theme. The other scripts follow in the same scope.
const data = JSON.parse(document.getElementById("data").textContent);

/** Radio buttons in a fieldset; `options` are [value, text]. Calls `changed(value)` when another is chosen. */
function choice(fieldset, options, chosen, changed) {
  for (const [value, text] of options) {
    const input = make("input", { type: "radio", name: fieldset.id, value });
    input.checked = value === chosen;
    input.addEventListener("change", () => changed(value));
    fieldset.append(make("label", {}, input, make("span", {}, text)));
  }
  fieldset.hidden = options.length < 2;
}

/** Fills a select; `options` are [value, text]. Calls `changed(value)` when another is chosen. */
function select(element, options, chosen, changed) {
  element.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  element.value = chosen;
  element.onchange = () => changed(element.value);
}

/** A number with fixed digits; the sign of infinity where nothing was lost, a dash where it is missing. */
function figure(value, digits) {
  if (value === null || value === undefined) return "–";
  return value === "inf" ? "∞" : value.toFixed(digits);
}
const speedText = (mps) => (mps >= 10 ? mps.toFixed(0) : mps.toPrecision(2));
const percentText = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)} %`;

for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;
for (const details of document.querySelectorAll("details")) {
  addEventListener("beforeprint", () => { details.open = true; });
}

const theme = {
  button: byId("theme"),
  dark: () => theme.now() === "dark",
  now() {
    return document.documentElement.dataset.theme
      || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  },
  show() {
    theme.button.textContent = theme.dark() ? "Light" : "Dark";
    theme.button.setAttribute("aria-label", `Switch to the ${theme.dark() ? "light" : "dark"} theme`);
  },
};
// Storage may be refused to pages that are opened from a file.
try { document.documentElement.dataset.theme = localStorage.getItem("lpcodec-theme") || ""; } catch { /* as it is */ }
theme.button.hidden = false;
theme.button.addEventListener("click", () => {
  document.documentElement.dataset.theme = theme.dark() ? "light" : "dark";
  try { localStorage.setItem("lpcodec-theme", document.documentElement.dataset.theme); } catch { /* for this visit */ }
  theme.show();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme.show);
theme.show();

// One metric at a time in the BD-rate tables; paper shows all.
function showMetric(key) {
  for (const part of document.querySelectorAll(".by-metric")) part.hidden = part.dataset.metric !== key;
}
if (byId("bd-metric")) {
  choice(byId("bd-metric"), data.metrics.map((m) => [m.key, m.title]), data.metrics[0].key, showMetric);
  showMetric(data.metrics[0].key);
}

// Says which tables are wider than the page: a touch screen shows no scroll bar.
const tableWidths = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const box = target.closest(".scroll") || target, before = box.previousElementSibling;
    const wide = box.scrollWidth > box.clientWidth + 1, said = before && before.classList.contains("scrolls");
    if (wide && !said) box.before(make("p", { class: "scrolls" }, "more columns"));
    if (!wide && said) before.remove();
  }
});
for (const box of document.querySelectorAll(".scroll")) {
  tableWidths.observe(box);
  tableWidths.observe(box.querySelector("table"));
}
