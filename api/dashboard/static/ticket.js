// The page of a ticket: shows the ticket in its list, and sets its properties.
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
})();
