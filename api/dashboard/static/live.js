// Live updates: a page that shows a list or a ticket follows its changes.
"use strict";
(() => {
  // Updates live regions (`data-live`) from a fresh copy of the page. Only the visible tab listens, because browsers
  // limit the connections to one host. A page with a form error does not listen, because its URL is that of the form's
  // action.
  const hasFormError = document.querySelector("[data-form-error]") !== null;
  const liveRegions = hasFormError ? [] : [...document.querySelectorAll('[data-live][data-follow="yes"]')];
  let source = null, refreshTimer = null, isRefreshing = false;
  // Token bucket: five refreshes immediately, then one a second. After a failure, the next one waits for five tokens.
  const BURST = 5, INTERVAL_MS = 1000;
  let tokens = BURST, updatedAt = performance.now();
  function scheduleRefresh(cost = 1) {
    if (refreshTimer) return;
    const now = performance.now();
    tokens = Math.min(BURST, tokens + (now - updatedAt) / INTERVAL_MS) - cost;
    updatedAt = now;
    refreshTimer = setTimeout(refresh, Math.max(50, -tokens * INTERVAL_MS));
  }
  function listen() {
    if (!liveRegions.length || source || document.hidden) return;
    const attention = document.getElementById("attention")?.dataset.version ?? "";
    source = new EventSource(`/live?seen=${encodeURIComponent(liveRegions[0].dataset.live)}&trouble=${attention}`);
    source.addEventListener("changed", () => scheduleRefresh());
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
      if (response.status >= 429) scheduleRefresh(BURST);
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
      for (const count of page.querySelectorAll("[data-count]")) {
        const shown = document.querySelector(`[data-count="${count.dataset.count}"]`);
        if (shown) { shown.className = count.className; shown.replaceChildren(...document.importNode(count, true).childNodes); shown.hidden = count.hidden; }
      }
      document.title = page.title;
      showUnread();
      if (changed) dashboard.announce("Page updated");
    } catch {
      scheduleRefresh(BURST);
    } finally {
      isRefreshing = false;
      pollIfPending();
    }
  }
  // The icon of the tab has a dot while there are new tickets, whose number the title has.
  const favicon = document.querySelector("link[rel=icon]");
  function showUnread() {
    const isNew = document.title.startsWith("(");
    if (favicon?.dataset.new) favicon.href = isNew ? favicon.dataset.new : favicon.dataset.usual;
  }
  // A region with a focused field is updated one second after the field loses the focus, so that the click that moved
  // the focus still hits its target.
  let isDeferred = false;
  document.addEventListener("focusout", () => { if (isDeferred) { isDeferred = false; setTimeout(() => scheduleRefresh(), 1000); } });
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
    const pick = replacement.querySelector(".pick input");
    if (pick) pick.checked = known.querySelector(".pick input")?.checked ?? false;
    known.replaceWith(replacement);
    if (!focused) return;
    const match = [...replacement.querySelectorAll(focused.localName)].find((other) => other.textContent === focused.textContent);
    (match ?? makeFocusable(replacement)).focus({ preventScroll: true });
  }
  function makeFocusable(node) {
    if (!node.hasAttribute("tabindex")) node.tabIndex = -1;
    return node;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? stopListening() : (listen(), pollIfPending())));
  addEventListener("pagehide", stopListening);
  addEventListener("pageshow", () => { listen(); pollIfPending(); });
})();
