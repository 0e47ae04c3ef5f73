"use strict";
// Sorting, filtering, and opening what a link leads to. Without this script everything is there, in order.

const LEVEL = /^\d+ % (?=[+-]?\d)/; // of an interval, which is sorted by its lower end
const NUMBER = /^[<\s]*([+-]?[\d,]*\.?\d+)/;

function valueOf(row, column) {
  const text = row.cells[column].textContent.trim().replaceAll("\u2212", "-");
  const found = NUMBER.exec(text.replace(LEVEL, ""));
  return found ? Number(found[1].replaceAll(",", "")) : text.toLowerCase();
}

function inOrder(one, two, up) {
  if (typeof one !== typeof two) return typeof one === "number" ? -1 : 1; // what has no number comes last
  const order = typeof one === "number" ? one - two : one.localeCompare(two, "en", { numeric: true });
  return up ? order : -order;
}

function sortBy(header, column) {
  const up = header.getAttribute("aria-sort") !== "ascending";
  const body = header.closest("table").tBodies[0];
  for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  body.append(...[...body.rows].sort((a, b) => inOrder(valueOf(a, column), valueOf(b, column), up)));
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sortBy(header, column));
  });
}

function makeFilter(form) {
  const choices = [...form.querySelectorAll("select")];
  const items = [...document.querySelectorAll("[data-verdict]")];
  const groups = [...document.querySelectorAll(".filtered")];
  const columns = [...document.querySelectorAll(".matrix [data-run]")];

  const has = (data, { name, value }) => (name === "tasks" ? data.tasks.split(",") : [data[name]]).includes(value);
  const fits = (item) => choices.every((choice) => !choice.value || has(item.dataset, choice));

  function apply() {
    const run = form.elements.run.value;
    for (const item of items) item.classList.toggle("unfit", !fits(item));
    for (const group of groups) {
      const own = [...group.querySelectorAll("[data-verdict]")];
      const chosen = choices.some((choice) => choice.value); // a claim that no run measured fits no choice
      group.hidden = own.length ? own.every((item) => item.classList.contains("unfit")) : chosen;
    }
    for (const cell of columns) cell.hidden = run !== "" && cell.dataset.run !== run;
    const shown = document.querySelectorAll(".matrix .filtered:not([hidden])").length;
    form.querySelector("output").value = `${shown} of ${form.dataset.claims} claims`;
  }

  function keep() { // in the address, so that a filtered report can be linked to
    const chosen = new URLSearchParams(choices.filter((c) => c.value).map((c) => [c.name, c.value])).toString();
    history.replaceState(null, "", location.pathname + (chosen && `?${chosen}`) + location.hash);
    apply();
  }

  const asked = new URLSearchParams(location.search);
  for (const choice of choices) choice.value = [...choice.options].some((o) => o.value === asked.get(choice.name)) ? asked.get(choice.name) : "";
  form.addEventListener("change", keep);
  form.addEventListener("reset", () => setTimeout(keep));
  form.hidden = false;
  apply();
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  const form = document.querySelector("form.filter");
  if (form && target.closest("[hidden], .unfit")) form.reset(); // somebody followed a link to what the filter hides
  setTimeout(() => target.scrollIntoView());
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("form.filter").forEach(makeFilter);
window.addEventListener("hashchange", openTarget);
if (location.hash) openTarget();
