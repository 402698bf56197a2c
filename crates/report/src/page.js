"use strict";
(() => {
  const said = document.getElementById("~said");
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // Tables are sorted by buttons in their headings, which only this script adds.
  const value = (row, column, kind) => {
    const cell = row.cells[column];
    if (kind === "words") return cell.textContent.trim();
    return cell.dataset.v === undefined ? Number.parseFloat(cell.textContent) : Number(cell.dataset.v);
  };
  const order = (rows, column, kind, sign) => {
    const keyed = rows.map((row) => [value(row, column, kind), row]);
    // Cells without a value come last in both directions.
    const lacks = (key) => (kind === "words" ? key === "" : Number.isNaN(key));
    keyed.sort(([a], [b]) => {
      if (lacks(a) || lacks(b)) return lacks(a) - lacks(b);
      return sign * (kind === "words" ? collator.compare(a, b) : a - b);
    });
    return keyed.map(([, row]) => row);
  };
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const original = [...body.rows];
    if (original.length < 2) continue;
    for (const [column, head] of heads.entries()) {
      const kind = head.dataset.sort;
      if (kind === undefined) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      const ways = kind === "number" ? ["descending", "ascending"] : ["ascending", "descending"];
      button.addEventListener("click", () => {
        // First direction, second direction, then back to the order of the page.
        const way = ways[ways.indexOf(head.getAttribute("aria-sort")) + 1];
        for (const other of heads) other.removeAttribute("aria-sort");
        if (way !== undefined) head.setAttribute("aria-sort", way);
        const sorted = way === undefined ? original : order(original, column, kind, way === "ascending" ? 1 : -1);
        body.append(...sorted);
        said.textContent = way === undefined ? "In the order of the page" : `Sorted by ${button.textContent}, ${way}`;
      });
    }
  }

  // Opens the target of a link and everything that contains it.
  const reveal = () => {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { return; }
    const target = id === "" ? null : document.getElementById(id);
    if (target === null) return;
    let opened = false;
    for (let at = target.closest("details"); at !== null; at = at.parentElement.closest("details")) {
      opened ||= !at.open;
      at.open = true;
    }
    if (opened) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link !== null && link.getAttribute("href") === location.hash) reveal();
  });
  reveal();

  // Opens everything at once, also for printing.
  const everything = [...document.querySelectorAll("details")];
  const tools = document.createElement("div");
  tools.className = "tools";
  const tool = (words, act) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", act);
    tools.append(button);
  };
  tool("Open all", () => { for (const details of everything) details.open = true; });
  tool("Close all", () => { for (const details of everything) details.open = false; });
  document.querySelector("nav").prepend(tools);
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = everything.filter((details) => !details.open);
    for (const details of closed) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of closed) details.open = false; });

  // A frame takes the keyboard focus only if it can scroll.
  const frames = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const frame of document.querySelectorAll(".scroll")) frames.observe(frame);
})();
