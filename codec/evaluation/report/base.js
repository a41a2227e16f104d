// What the pages of a report and of `lpcodec serve` share. Other scripts follow in the same scope.
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; text is always text, never HTML. */
function make(name, attributes, ...children) {
  const svg = ["svg", "g", "path", "line", "text", "rect", "clipPath", "circle"].includes(name);
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "color") element.style.setProperty("--color", `var(--c${value})`);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Follows a pointer from press to release; `moved(event, dx, dy)` gets the way since the last call. */
function drag(element, accepts, moved) {
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
}

/** Calls `flip(true)` while F or the button is held, and `flip(false)` afterwards. Where a letter chooses something from a
 * list, `takesLetters(element)`, F does not flip. */
function holdToFlip(button, takesLetters, flip) {
  const isF = (event) => event.key.toLowerCase() === "f" && !event.ctrlKey && !event.metaKey && !event.altKey;
  addEventListener("keydown", (event) => {
    if (!isF(event) || takesLetters(event.target)) return;
    event.preventDefault();
    flip(true);
  });
  addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "f") flip(false); });
  addEventListener("blur", () => flip(false));
  button.addEventListener("pointerdown", (event) => { button.setPointerCapture(event.pointerId); flip(true); });
  for (const end of ["pointerup", "pointercancel"]) button.addEventListener(end, () => flip(false));
  button.addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") { event.preventDefault(); flip(true); } });
  button.addEventListener("keyup", () => flip(false));
}

/** Where a picture of this size starts in a frame: in the middle if it is smaller, else so that it never leaves it. */
const held = (at, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, at)));

/** Puts an image of `w` x `h` pixels so that `x`, `y` is its top left corner, enlarged by `scale`. */
function put(image, w, h, x, y, scale) {
  image.style.width = `${w}px`;
  image.style.height = `${h}px`;
  image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  image.classList.toggle("pixels", scale * devicePixelRatio >= 1.99);
}
