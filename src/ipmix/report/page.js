"use strict";
// Everything on the page is there without this: it only shows figures at once where the pointer is, and sorts.

const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("aria-hidden", "true"); // the same text is the element's title
tip.hidden = true;
document.body.append(tip);

function told(target) {
  for (let element = target; element && element.nodeType === 1; element = element.parentElement) {
    if (element.dataset.told) return element.dataset.told;
    const title = element.getAttribute("title") || [...element.children].find((c) => c.tagName === "title")?.textContent;
    if (title) {
      // The browser's own, slower words would stand beside these.
      element.removeAttribute("title");
      [...element.children].filter((c) => c.tagName === "title").forEach((c) => c.remove());
      element.setAttribute("data-told", title);
      if (!element.textContent.trim()) element.setAttribute("aria-label", title);
      return title;
    }
  }
  return "";
}

function show(event) {
  const text = told(event.target);
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  const left = Math.max(4, Math.min(event.clientX + 12, innerWidth - box.width - 8));
  const above = event.clientY - box.height - 12;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 0 ? above : event.clientY + 18}px`;
}

document.addEventListener("pointermove", show);
document.addEventListener("pointerdown", show);
document.addEventListener("pointerleave", () => { tip.hidden = true; });
document.addEventListener("scroll", () => { tip.hidden = true; }, true);

const maps = [...document.querySelectorAll("table.heat")];
const written = maps.map((map) => [...map.tBodies[0].rows]);

// All runs' maps keep the same order of rows, so that they can be read side by side.
function sort(map, column, direction) {
  const name = (row) => row.cells[0].textContent;
  const key = (row) => (column ? Number(row.cells[column].dataset.value || -1) : written[maps.indexOf(map)].indexOf(row));
  const order = [...map.tBodies[0].rows].sort((a, b) => direction * (key(a) - key(b))).map(name);
  maps.forEach((each, place) => {
    const rows = [...written[place]].sort((a, b) => order.indexOf(name(a)) - order.indexOf(name(b)));
    each.tBodies[0].append(...rows);
    [...each.tHead.rows[0].cells].forEach((cell) => cell.removeAttribute("aria-sort"));
  });
  map.tHead.rows[0].cells[column].setAttribute("aria-sort", direction < 0 ? "descending" : "ascending");
}

for (const map of maps) {
  [...map.tHead.rows[0].cells].forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    const last = column + 1 === map.tHead.rows[0].cells.length;
    button.title = column ? `sort by error, ${last ? "" : "severity "}${cell.textContent}` : "corruption: in the order as measured";
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", () => {
      sort(map, column, column && cell.getAttribute("aria-sort") !== "descending" ? -1 : 1);
    });
    cell.replaceChildren(button);
  });
}
