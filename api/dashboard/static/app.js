// Progressive enhancement: every page also works without this script.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("has-js");

  // Removes the key of the flash message from the URL, so that a reload does not show the message again.
  if (document.querySelector("[data-flash]")) {
    const here = new URL(location.href);
    here.searchParams.delete("note");
    history.replaceState(null, "", here);
  }

  // Handles buttons that open a dialog or copy a text.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    const copier = event.target.closest("[data-copies]");
    if (copier) copy(copier);
  });
  // Replaces a link to quoted text with the text.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-expand-label]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const response = await fetch(link.href).catch(() => null);
    if (!response?.ok || response.redirected) { location.assign(link.href); return; } // opens the link instead
    const details = document.createElement("details"), summary = document.createElement("summary");
    const text = document.createElement("div");
    summary.textContent = link.dataset.expandLabel;
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

  // Keyboard shortcuts. They can be turned off (WCAG 2.1.4) and are inactive in text fields.
  const SHORTCUTS_OFF = "keys-off";
  const checkbox = document.getElementById("keys-on");
  const areShortcutsOff = () => { try { return localStorage.getItem(SHORTCUTS_OFF) === "yes"; } catch { return false; } };
  if (checkbox) {
    checkbox.checked = !areShortcutsOff();
    checkbox.addEventListener("change", () => { try { localStorage.setItem(SHORTCUTS_OFF, checkbox.checked ? "no" : "yes"); } catch { /* then the setting applies to this page only */ } });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || (checkbox && !checkbox.checked && event.key !== "?")) return;
    // Shortcuts also work while a checkbox has the focus. The checkbox of the shortcuts dialog keeps the focus briefly
    // after the dialog closes.
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      moveSelection(event.key === "j" ? 1 : -1);
      return;
    }
    if (event.repeat) return; // a held key acts once, also across a page load
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    if (event.key === "Enter" || event.key === "o") {
      const link = document.querySelector("[data-row].selected [data-open]");
      if (link) link.click();
      return;
    }
    const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!target) return;
    event.preventDefault();
    if (target.matches("input, textarea")) target.focus();
    else target.click();
  });
  function moveSelection(step) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const current = rows.findIndex((row) => row.classList.contains("selected"));
    const next = current < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(current + step, 0), rows.length - 1);
    if (current >= 0) rows[current].classList.remove("selected");
    rows[next].classList.add("selected");
    (rows[next].querySelector("[data-open]") ?? rows[next]).focus({ preventScroll: true });
    rows[next].scrollIntoView({ block: "nearest" });
  }

  // Ignores a second submit of the same form for five seconds. After that, the first request may have failed.
  let submissions = new WeakMap();
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.timeStamp - submissions.get(event.target) < 5000) event.preventDefault();
    else submissions.set(event.target, event.timeStamp);
  });
  addEventListener("pageshow", () => { submissions = new WeakMap(); });

  // Updates live regions (`data-live`) from a fresh copy of the page. Only the visible tab listens, because browsers
  // limit the connections to one host. A page with a form error does not listen, because its URL is that of the form's
  // action.
  const hasFormError = document.querySelector("[data-form-error]") !== null;
  const liveRegions = hasFormError ? [] : [...document.querySelectorAll('[data-live][data-follow="yes"]')];
  let source = null, refreshTimer = null, isRefreshing = false;
  // Token bucket: five refreshes immediately, then one every five seconds.
  const BURST = 5, INTERVAL_MS = 5000;
  let tokens = BURST, updatedAt = performance.now();
  function scheduleRefresh() {
    if (refreshTimer) return;
    const now = performance.now();
    tokens = Math.min(BURST, tokens + (now - updatedAt) / INTERVAL_MS) - 1;
    updatedAt = now;
    refreshTimer = setTimeout(refresh, Math.max(50, -tokens * INTERVAL_MS));
  }
  function listen() {
    if (!liveRegions.length || source || document.hidden) return;
    const attention = document.getElementById("attention")?.dataset.version ?? "";
    source = new EventSource(`/live?seen=${encodeURIComponent(liveRegions[0].dataset.live)}&trouble=${attention}`);
    source.addEventListener("changed", scheduleRefresh);
    // Reconnects with an updated URL. With the old one, the server would report changes that are already shown.
    source.addEventListener("error", () => {
      const isClosed = source?.readyState === EventSource.CLOSED;
      stopListening();
      setTimeout(listen, isClosed ? 30000 : 2000);
    });
  }
  // Polls while a delivery or a DNS check is pending, because not every result causes an event.
  // For about a quarter of an hour every 15 seconds, then every minute, for about a day.
  const FAST_POLLS = 60, MAX_POLLS = 1500;
  let pollCount = 0, pollTimer = null;
  function pollIfPending() {
    if (pollTimer || document.hidden || pollCount >= MAX_POLLS || !liveRegions.some((region) => region.dataset.poll === "yes")) return;
    pollTimer = setTimeout(() => { pollTimer = null; refresh(); }, pollCount < FAST_POLLS ? Math.min(600 * 1.2 ** pollCount, 15000) : 60000);
    pollCount++;
  }
  function stopListening() { if (source) { source.close(); source = null; } }
  async function refresh() {
    if (isRefreshing) { refreshTimer = setTimeout(refresh, 500); return; }
    refreshTimer = null;
    if (document.hidden) return; // listen() catches up when the tab becomes visible
    isRefreshing = true;
    try {
      // The server has a separate rate limit for requests with X-Page-Refresh.
      const response = await fetch(location.href, { headers: { Accept: "text/html", "X-Page-Refresh": "1" } });
      if (response.redirected) { location.reload(); return; } // signed out meanwhile
      if (response.status >= 429) scheduleRefresh();
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      let changed = false;
      for (const region of liveRegions) {
        const fresh = page.getElementById(region.id);
        if (!fresh) continue;
        changed = updateChildren(region, fresh) || changed;
        region.dataset.live = fresh.dataset.live;
        if (fresh.dataset.poll) region.dataset.poll = fresh.dataset.poll;
      }
      const bar = document.getElementById("attention"), newBar = page.getElementById("attention");
      if (bar && newBar && bar.dataset.version !== newBar.dataset.version) bar.replaceWith(document.importNode(newBar, true));
      if (changed) announce("Page updated");
    } catch {
      scheduleRefresh();
    } finally {
      isRefreshing = false;
      pollIfPending();
    }
  }
  // A region with a focused field is updated one second after the field loses the focus, so that the click that moved
  // the focus still hits its target.
  let isDeferred = false;
  document.addEventListener("focusout", () => { if (isDeferred) { isDeferred = false; setTimeout(scheduleRefresh, 1000); } });
  // Replaces the children of `old` by those of `fresh`. Unchanged children keep their open, scroll and focus state.
  function updateChildren(old, fresh) {
    if (document.activeElement?.matches("select, textarea, input") && old.contains(document.activeElement)) {
      isDeferred = true;
      return false;
    }
    const names = new Set([...fresh.children].map((node) => node.id));
    let changed = false;
    for (const node of [...old.children]) if (!node.id || !names.has(node.id)) { removeNode(node); changed = true; }
    let cursor = old.firstElementChild;
    for (const node of fresh.children) {
      const known = node.id ? document.getElementById(node.id) : null;
      if (!known || known.parentElement !== old) {
        old.insertBefore(document.importNode(node, true), cursor);
        changed = true;
        continue;
      }
      if (known !== cursor) old.insertBefore(known, cursor);
      cursor = known.nextElementSibling;
      if (known.tagName === node.tagName && node.matches("ul, ol")) changed = updateChildren(known, node) || changed;
      else if (known.tagName !== node.tagName || known.dataset.version !== node.dataset.version) { replaceNode(known, node); changed = true; }
    }
    return changed;
  }
  // Removes a row and moves its focus and selection to an adjacent row.
  function removeNode(node) {
    const next = node.nextElementSibling ?? node.previousElementSibling;
    const hadFocus = node.contains(document.activeElement);
    if (next && node.classList.contains("selected")) next.classList.add("selected");
    node.remove();
    if (hadFocus && next) (next.querySelector("[data-open]") ?? makeFocusable(next)).focus({ preventScroll: true });
  }
  // Replaces a row. A focus in the row moves to the new link or button with the same text, else to the new row.
  function replaceNode(known, node) {
    const focused = known.contains(document.activeElement) ? document.activeElement : null;
    const replacement = document.importNode(node, true);
    if (known.classList.contains("selected")) replacement.classList.add("selected");
    known.replaceWith(replacement);
    if (!focused) return;
    const match = [...replacement.querySelectorAll(focused.localName)].find((other) => other.textContent === focused.textContent);
    (match ?? makeFocusable(replacement)).focus({ preventScroll: true });
  }
  function makeFocusable(node) {
    if (!node.hasAttribute("tabindex")) node.tabIndex = -1;
    return node;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? stopListening() : (listen(), pollIfPending(), updateAges())));

  // Keeps relative times current, by the server's clock.
  const clockOffset = Date.now() - Date.parse(document.getElementById("main").dataset.now);
  const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"]];
  function updateAges() {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const seconds = (Date.now() - clockOffset - Date.parse(time.dateTime)) / 1000;
      const [length, name] = UNITS.find(([minimum]) => seconds >= minimum) ?? [];
      if (!length || seconds > 31 * 86400) continue;
      const count = Math.floor(seconds / length);
      time.textContent = `${count} ${name}${count === 1 ? "" : "s"} ago`;
    }
  }
  setInterval(updateAges, 30000);
  addEventListener("pagehide", stopListening);
  addEventListener("pageshow", () => { listen(); pollIfPending(); });
})();
