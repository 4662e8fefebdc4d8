// The search of the API page. Without this script, the menu and the links of the page still work.
"use strict";
(() => {
  const input = document.getElementById("search"), result = document.getElementById("search-result");
  const contents = document.querySelector(".contents");
  const calls = [...document.querySelectorAll("article[data-call]")].map((call) => ({
    name: call.dataset.call,
    text: `${call.dataset.call} ${call.querySelector("header").textContent} ${call.querySelector(".meaning").textContent}`.toLowerCase(),
  }));

  function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = new Set(calls.filter((call) => words.every((word) => call.text.includes(word))).map((call) => call.name));
    for (const part of document.querySelectorAll("[data-call]")) part.hidden = !found.has(part.dataset.call);
    for (const part of document.querySelectorAll("[data-noun]")) part.hidden = !part.querySelector("[data-call]:not([hidden])");
    document.getElementById("start").hidden = words.length > 0;
    contents.classList.toggle("searching", words.length > 0);
    result.textContent = words.length === 0 ? "" : found.size === 1 ? "1 call" : `${found.size || "No"} calls`;
  }

  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { input.value = ""; search(); }
  });
  // A link to a call that the search has hidden shows all calls again.
  addEventListener("hashchange", () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.closest("[hidden]")) { input.value = ""; search(); target.scrollIntoView(); }
  });
  if (input.value) search(); // the browser has restored the text
})();
