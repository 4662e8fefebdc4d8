// Progressive enhancement: every page also works without this script.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("has-js");
  window.dashboard = { announce };

  // Shows the current tab of a row of tabs that is wider than the window.
  for (const tab of document.querySelectorAll(".tabs [aria-current]")) {
    tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 24;
  }

  // Removes the flash message from the URL, so that a reload does not show the message again.
  if (document.querySelector("[data-flash]")) {
    const here = new URL(location.href);
    for (const name of [...here.searchParams.keys()]) if (name.startsWith("note")) here.searchParams.delete(name);
    history.replaceState(null, "", here);
  }

  // Handles buttons that open a dialog, copy a text or close a message, and closes menus.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    const copier = event.target.closest("[data-copies]");
    if (copier) copy(copier);
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.parentElement.remove();
    for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector(".menu[open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  // Applies a filter that is chosen with a pointer. Arrow keys change a selection list at every press, so they do not.
  let isPointing = false;
  document.addEventListener("pointerdown", () => { isPointing = true; });
  document.addEventListener("keydown", () => { isPointing = false; });
  document.addEventListener("change", ({ target }) => { if (isPointing && target.matches("[data-submits] select")) target.form.requestSubmit(); });
  // Removes a toast after a while, unless the user points at it, its button has the focus, or it offers to undo.
  const TOAST_MS = 12000;
  const toast = document.querySelector(".toast");
  if (toast && !toast.querySelector("form")) setTimeout(function close() { if (toast.matches(":hover, :focus-within")) setTimeout(close, 1000); else toast.remove(); }, TOAST_MS);
  // Replaces a link to quoted text with the text.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-expand]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const response = await fetch(link.dataset.expand).catch(() => null);
    if (!response?.ok || response.redirected) { location.assign(link.href); return; } // opens the link instead
    const details = document.createElement("details"), summary = document.createElement("summary");
    const text = document.createElement("div");
    summary.textContent = link.textContent.replace(/^Show q/, "Q");
    text.textContent = await response.text();
    text.className = "text quoted";
    text.dir = "auto";
    details.append(summary, text);
    details.open = true;
    link.parentElement.replaceWith(details);
    summary.focus();
  });
  async function copy(button) {
    const source = document.getElementById(button.dataset.copies);
    const label = button.dataset.originalLabel ??= button.textContent;
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      announce("Copied");
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1500);
    } catch {
      getSelection().selectAllChildren(source); // without HTTPS, the user copies the selection
    }
  }
  function announce(text) {
    const announcements = document.getElementById("announcements");
    if (announcements) announcements.textContent = text;
  }

  // Ignores a second submit of the same form for five seconds. After that, the first request may have failed.
  let submissions = new WeakMap();
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.timeStamp - submissions.get(event.target) < 5000) event.preventDefault();
    else submissions.set(event.target, event.timeStamp);
  });
  addEventListener("pageshow", () => { submissions = new WeakMap(); });

  // Keeps relative times current, by the server's clock.
  const clockOffset = Date.now() - Date.parse(document.getElementById("main").dataset.now);
  const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"]];
  function updateAges() {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const seconds = (Date.now() - clockOffset - Date.parse(time.dateTime)) / 1000;
      const [length, name] = UNITS.find(([minimum]) => seconds >= minimum) ?? [];
      if (!length || seconds > 31 * 86400) continue;
      const count = Math.floor(seconds / length);
      time.textContent = time.dataset.age === "short" ? `${count}${name[0]}` : `${count} ${name}${count === 1 ? "" : "s"} ago`;
    }
  }
  setInterval(updateAges, 30000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) updateAges(); });
})();
