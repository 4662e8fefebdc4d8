// What makes the pages quicker to use; every one of them works without it.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("has-js");

  // A note is said once: a reload, or the way back, does not say it again.
  if (document.querySelector("[data-note]")) {
    const here = new URL(location.href);
    here.searchParams.delete("note");
    history.replaceState(null, "", here);
  }

  // Dialogs, and texts to copy.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
    const copier = event.target.closest("[data-copies]");
    if (copier) copy(copier);
  });
  // What a mail quotes is loaded on request, and takes the place of its link.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-unfolds]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const answer = await fetch(link.href).catch(() => null);
    if (!answer?.ok || answer.redirected) { location.assign(link.href); return; } // as without this script
    const unfolded = document.createElement("details"), summary = document.createElement("summary");
    const text = document.createElement("div");
    summary.textContent = link.dataset.unfolds;
    text.textContent = await answer.text();
    text.className = "text quoted";
    text.dir = "auto";
    unfolded.append(summary, text);
    unfolded.open = true;
    link.parentElement.replaceWith(unfolded);
    summary.focus();
  });
  async function copy(button) {
    const source = document.getElementById(button.dataset.copies);
    const said = button.dataset.said ??= button.textContent;
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      tell("Copied");
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = said; }, 1500);
    } catch {
      getSelection().selectAllChildren(source); // no clipboard without https: the person copies
    }
  }
  function tell(words) {
    const place = document.getElementById("told");
    if (place) place.textContent = words;
  }

  // Keys. They can be switched off (WCAG 2.1.4), and never work while somebody types.
  const OFF = "keys-off";
  const box = document.getElementById("keys-on");
  const remembered = () => { try { return localStorage.getItem(OFF) === "yes"; } catch { return false; } };
  if (box) {
    box.checked = !remembered();
    box.addEventListener("change", () => { try { localStorage.setItem(OFF, box.checked ? "no" : "yes"); } catch { /* kept for this page */ } });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || (box && !box.checked && event.key !== "?")) return;
    // A checkbox takes no text; that of the list of keys has the focus for a moment after the list is closed.
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
    if (event.key === "j" || event.key === "k") {
      event.preventDefault();
      move(event.key === "j" ? 1 : -1);
      return;
    }
    if (event.repeat) return; // a key that is held acts once, on the next page too
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    if (event.key === "Enter" || event.key === "o") {
      const link = document.querySelector("[data-row].at [data-open]");
      if (link) link.click();
      return;
    }
    const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!wanted) return;
    event.preventDefault();
    if (wanted.matches("input, textarea")) wanted.focus();
    else wanted.click();
  });
  function move(step) {
    const rows = [...document.querySelectorAll("[data-row]")];
    if (!rows.length) return;
    const now = rows.findIndex((row) => row.classList.contains("at"));
    const next = now < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(now + step, 0), rows.length - 1);
    if (now >= 0) rows[now].classList.remove("at");
    rows[next].classList.add("at");
    (rows[next].querySelector("[data-open]") ?? rows[next]).focus({ preventScroll: true });
    rows[next].scrollIntoView({ block: "nearest" });
  }

  // A form is sent once: who clicks again before the answer is there means the same. Not for ever: it may be stopped.
  let sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.timeStamp - sent.get(event.target) < 5000) event.preventDefault();
    else sent.set(event.target, event.timeStamp);
  });
  addEventListener("pageshow", () => { sent = new WeakMap(); });

  // What has `data-live` follows changes: the page is asked for again, and what differs takes its place. Only the tab
  // that is looked at listens: browsers keep few connections to one host.
  // A form that came back does not follow: its address is not that of a page.
  const refused = document.querySelector("[data-refused]");
  const live = refused ? [] : [...document.querySelectorAll('[data-live][data-follow="yes"]')];
  let source = null, waiting = null, running = false;
  // Five changes are shown at once, then one each five seconds. These requests have a limit of their own, by their header.
  const AT_ONCE = 5, APART = 5000;
  let room = AT_ONCE, before = performance.now();
  function soon() {
    if (waiting) return;
    const now = performance.now();
    room = Math.min(AT_ONCE, room + (now - before) / APART) - 1;
    before = now;
    waiting = setTimeout(refresh, Math.max(50, -room * APART));
  }
  function listen() {
    if (!live.length || source || document.hidden) return;
    const trouble = document.getElementById("trouble")?.dataset.v ?? "";
    source = new EventSource(`/live?seen=${encodeURIComponent(live[0].dataset.live)}&trouble=${trouble}`);
    source.addEventListener("changed", soon);
    // Not as browsers do it, with the same address: that would say again what the page has seen since.
    source.addEventListener("error", () => {
      const refused = source?.readyState === EventSource.CLOSED;
      quiet();
      setTimeout(listen, refused ? 30000 : 2000);
    });
  }
  // Where something is under way that nobody tells of (a message to Slack, a record in the DNS) the page asks again by
  // itself: often at first, then seldom, and not for ever.
  let asked = 0, again = null;
  function watch() {
    if (again || document.hidden || asked >= 60 || !live.some((place) => place.dataset.again === "yes")) return;
    again = setTimeout(() => { again = null; refresh(); }, Math.min(600 * 1.2 ** asked++, 15000));
  }
  function quiet() { if (source) { source.close(); source = null; } }
  async function refresh() {
    if (running) { waiting = setTimeout(refresh, 500); return; }
    waiting = null;
    if (document.hidden) return; // who comes back listens anew, and is told
    running = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html", "X-Page-Refresh": "1" } });
      if (answer.redirected) { location.reload(); return; } // signed out meanwhile
      if (answer.status >= 429) soon(); // not now: what is new is still to be shown
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      let changed = false;
      for (const place of live) {
        const fresh = page.getElementById(place.id);
        if (!fresh) continue;
        changed = follow(place, fresh) || changed;
        place.dataset.live = fresh.dataset.live;
        if (fresh.dataset.again) place.dataset.again = fresh.dataset.again;
      }
      const bar = document.getElementById("trouble"), now = page.getElementById("trouble");
      if (bar && now && bar.dataset.v !== now.dataset.v) bar.replaceWith(document.importNode(now, true));
      if (changed) tell("Page updated");
    } catch {
      soon();
    } finally {
      running = false;
      watch();
    }
  }
  // Where somebody types nothing changes until they are done, nor under the click that they are done with.
  let late = false;
  document.addEventListener("focusout", () => { if (late) { late = false; setTimeout(soon, 1000); } });
  // Makes the children of `old` those of `fresh`. What is the same is not touched: it stays opened, scrolled, focused.
  function follow(old, fresh) {
    if (document.activeElement?.matches("select, textarea, input") && old.contains(document.activeElement)) {
      late = true;
      return false;
    }
    const names = new Set([...fresh.children].map((node) => node.id));
    let changed = false;
    for (const node of [...old.children]) if (!node.id || !names.has(node.id)) { leave(node); changed = true; }
    let at = old.firstElementChild;
    for (const node of fresh.children) {
      const known = node.id ? document.getElementById(node.id) : null;
      if (!known || known.parentElement !== old) {
        old.insertBefore(document.importNode(node, true), at);
        changed = true;
        continue;
      }
      if (known !== at) old.insertBefore(known, at);
      at = known.nextElementSibling;
      if (known.tagName === node.tagName && node.matches("ul, ol")) changed = follow(known, node) || changed;
      else if (known.tagName !== node.tagName || known.dataset.v !== node.dataset.v) { renew(known, node); changed = true; }
    }
    return changed;
  }
  // Who was at a row that goes is at its neighbour.
  function leave(node) {
    const next = node.nextElementSibling ?? node.previousElementSibling;
    const held = node.contains(document.activeElement);
    if (next && node.classList.contains("at")) next.classList.add("at");
    node.remove();
    if (held && next) (next.querySelector("[data-open]") ?? focusable(next)).focus({ preventScroll: true });
  }
  // Who was at a link or button is at the one of that name; where there is none, at no other: it would do something else.
  function renew(known, node) {
    const held = known.contains(document.activeElement) ? document.activeElement : null;
    const here = document.importNode(node, true);
    if (known.classList.contains("at")) here.classList.add("at");
    known.replaceWith(here);
    if (!held) return;
    const same = [...here.querySelectorAll(held.localName)].find((other) => other.textContent === held.textContent);
    (same ?? focusable(here)).focus({ preventScroll: true });
  }
  function focusable(node) {
    if (!node.hasAttribute("tabindex")) node.tabIndex = -1;
    return node;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? quiet() : (listen(), watch(), age())));

  // How long ago something was goes on while a page stays open; by the server's clock, as it was when the page was made.
  const behind = Date.now() - Date.parse(document.getElementById("main").dataset.now);
  const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"]];
  function age() {
    for (const time of document.querySelectorAll("time[data-age]")) {
      const seconds = (Date.now() - behind - Date.parse(time.dateTime)) / 1000;
      const [length, name] = UNITS.find(([least]) => seconds >= least) ?? [];
      if (!length || seconds > 31 * 86400) continue;
      const count = Math.floor(seconds / length);
      time.textContent = `${count} ${name}${count === 1 ? "" : "s"} ago`;
    }
  }
  setInterval(age, 30000);
  addEventListener("pagehide", quiet);
  addEventListener("pageshow", () => { listen(); watch(); });
})();
