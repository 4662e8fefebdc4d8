// The page of a ticket: keeps the draft of a note on the server, shows the ticket in its list, and sets its properties.
"use strict";
(() => {
  const pane = document.querySelector(".pane"), row = document.querySelector(".pane li:has([aria-current])");
  if (row) pane.scrollTop = row.offsetTop - (pane.clientHeight - row.offsetHeight) / 2;

  // A chosen property is set at once. With the arrow keys, a closed list changes with each key: then the choice is set
  // by Enter, or when the list loses the focus.
  let withKeys = false, chosen = null;
  const submitChosen = () => { const select = chosen; chosen = null; if (select?.isConnected) select.form.requestSubmit(); };
  document.addEventListener("pointerdown", () => { withKeys = false; });
  document.addEventListener("keydown", (event) => { withKeys = true; if (event.key === "Enter") submitChosen(); });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("select[data-submit]")) return;
    chosen = event.target;
    if (!withKeys) submitChosen();
  });
  document.addEventListener("focusout", submitChosen);

  const form = document.querySelector("form[data-draft]");
  if (!form) return;
  const text = form.elements.text, state = document.getElementById("draft-state");
  const DELAY_MS = 800;
  let saved = text.defaultValue, timer = null, saving = null, isSubmitted = false;
  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(save, DELAY_MS); });
  // Saves one text at a time, so that an older one never arrives last.
  async function save() {
    clearTimeout(timer);
    if (saving || isSubmitted || text.value === saved) return saving;
    const value = text.value;
    saving = put(value);
    const response = await saving;
    saving = null;
    if (response?.ok) {
      saved = value;
      state.textContent = value.trim() ? "Draft saved" : "Draft removed";
      if (text.value !== saved) timer = setTimeout(save, DELAY_MS);
    } else state.textContent = "Draft not saved";
  }
  function put(value) {
    const body = JSON.stringify({ kind: "note", text: value });
    return fetch(form.dataset.draft, { method: "PUT", headers: { "Content-Type": "application/json" }, body, keepalive: true }).catch(() => null);
  }
  // A draft that is being saved must not arrive after the note, which deletes it.
  form.addEventListener("submit", async (event) => {
    clearTimeout(timer);
    if (saving) {
      event.preventDefault();
      event.stopPropagation(); // app.js would count it as the first of two submits
      await saving;
      form.requestSubmit(event.submitter);
      return;
    }
    isSubmitted = true;
    saved = text.value;
  });
  addEventListener("pagehide", () => { if (!isSubmitted && text.value !== saved) put(text.value); });
  addEventListener("pageshow", () => { isSubmitted = false; });
})();
