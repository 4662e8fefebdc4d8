// Keyboard shortcuts, and the selection of tickets for bulk changes. Everything also works with a pointer.
"use strict";
(() => {
  // Shortcuts can be turned off (WCAG 2.1.4) and are inactive in text fields.
  const SHORTCUTS_OFF = "keys-off", SEQUENCE_MS = 1200;
  const checkbox = document.getElementById("keys-on");
  const areShortcutsOff = () => { try { return localStorage.getItem(SHORTCUTS_OFF) === "yes"; } catch { return false; } };
  if (checkbox) {
    checkbox.checked = !areShortcutsOff();
    checkbox.addEventListener("change", () => { try { localStorage.setItem(SHORTCUTS_OFF, checkbox.checked ? "no" : "yes"); } catch { /* then the setting applies to this page only */ } });
  }
  let sequenceUntil = 0; // until this time, the next key completes a shortcut that began with `g`
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) {
      event.preventDefault();
      event.target.form?.requestSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || (checkbox && !checkbox.checked && event.key !== "?")) return;
    // Shortcuts also work while a checkbox has the focus. The checkbox of the shortcuts dialog keeps the focus briefly
    // after the dialog closes.
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) {
      if (event.key === "Escape" && event.target.matches("input, textarea")) event.target.blur();
      return;
    }
    if ((event.key === "j" || event.key === "k") && document.querySelector("[data-row]")) {
      event.preventDefault();
      moveSelection(event.key === "j" ? 1 : -1);
      return;
    }
    if (event.repeat) return; // a held key acts once, also across a page load
    const isSecond = event.timeStamp < sequenceUntil;
    sequenceUntil = event.key === "g" && !isSecond ? event.timeStamp + SEQUENCE_MS : 0;
    if (sequenceUntil) return;
    const row = document.querySelector("[data-row].selected");
    const pick = row?.querySelector(".pick input");
    if (event.key.toLowerCase() === "x" && pick) {
      pick.checked = event.shiftKey || !pick.checked;
      select(pick, event.shiftKey);
      return;
    }
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    if (event.key === "Enter" || event.key === "o") { row?.querySelector("[data-open]")?.click(); return; }
    const target = document.querySelector(`[${isSecond ? "data-go" : "data-key"}="${CSS.escape(event.key)}"]`);
    if (!target) return;
    event.preventDefault();
    // The button of a bulk change applies to the row with the focus if no row is selected.
    if (target.closest(".selection") && !document.querySelector(".pick input:checked")) {
      if (!pick) return;
      pick.checked = true;
    }
    const menu = target.closest(".menu:not([open])");
    if (target.matches("input, textarea, select")) { if (menu) menu.open = true; target.focus(); } else target.click();
  });
  function moveSelection(step) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    let current = rows.findIndex((row) => row.classList.contains("selected"));
    if (current < 0) current = rows.findIndex((row) => row.hasAttribute("aria-current"));
    const next = current < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(current + step, 0), rows.length - 1);
    if (current >= 0) rows[current].classList.remove("selected");
    rows[next].classList.add("selected");
    (rows[next].querySelector("[data-open]") ?? rows[next]).focus({ preventScroll: true });
    rows[next].scrollIntoView({ block: "nearest" });
  }

  // Bulk changes: Shift selects all rows from the last one, Escape clears the selection.
  let last = null;
  document.addEventListener("click", (event) => {
    const pick = event.target.closest(".pick input");
    if (pick) select(pick, event.shiftKey);
  });
  function select(pick, isRange) {
    const picks = [...document.querySelectorAll(".pick input")];
    if (isRange && last?.isConnected) {
      const [from, to] = [picks.indexOf(last), picks.indexOf(pick)].sort((a, b) => a - b);
      for (const each of picks.slice(from, to + 1)) each.checked = pick.checked;
    }
    last = pick;
    showCount(picks);
  }
  document.addEventListener("keydown", (event) => {
    const picks = [...document.querySelectorAll(".pick input:checked")];
    if (event.key !== "Escape" || !picks.length || document.querySelector("dialog[open], .menu[open]")) return;
    for (const pick of picks) pick.checked = false;
    showCount([]);
  });
  function showCount(picks) {
    const counter = document.getElementById("selected-count");
    if (counter) counter.textContent = `${picks.filter((pick) => pick.checked).length} selected`;
  }
  addEventListener("pageshow", () => showCount([...document.querySelectorAll(".pick input")]));
})();
