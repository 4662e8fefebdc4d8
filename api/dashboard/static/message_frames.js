// Fits the height of the frames with the HTML of messages to their content, and makes wide content smaller. Without this
// script, a frame has a fixed height and scrolls. The frames run no scripts; this script only reads the size of their
// content and sets its zoom.
"use strict";
(() => {
  const MAX_HEIGHT = 12000; // in pixels; longer content scrolls in its frame
  const MIN_ZOOM = 0.5; // wider content scrolls in its frame
  const MAX_FITS = 500; // ends a loop of content whose height depends on the height of its frame
  const fits = new WeakMap();
  function fit(frame) {
    const body = frame.contentDocument?.body;
    const count = fits.get(frame) ?? 0;
    if (!body || count >= MAX_FITS) return;
    const root = frame.contentDocument.documentElement;
    root.style.zoom = 1;
    const message = frame.contentDocument.getElementById("er-message") ?? root; // it scrolls if it is too wide
    const zoom = Math.max(MIN_ZOOM, Math.min(1, message.clientWidth / message.scrollWidth));
    root.style.zoom = zoom;
    const height = Math.ceil(body.getBoundingClientRect().height);
    if (!height) return;
    fits.set(frame, count + 1);
    frame.classList.toggle("is-fitted", height <= MAX_HEIGHT);
    frame.style.height = `${Math.min(height, MAX_HEIGHT) + frame.offsetHeight - frame.clientHeight}px`;
  }
  // The content changes its height when pictures arrive and when the window changes its width.
  function watch(frame) {
    const body = frame.contentDocument?.body;
    if (!body || frame.contentDocument.URL === "about:blank") return;
    fits.delete(frame);
    new ResizeObserver(() => fit(frame)).observe(body);
    fit(frame);
  }
  document.addEventListener("load", (event) => { if (event.target.matches?.("iframe.message-frame")) watch(event.target); }, true);
  for (const frame of document.querySelectorAll("iframe.message-frame")) if (frame.contentDocument?.readyState === "complete") watch(frame);
})();
