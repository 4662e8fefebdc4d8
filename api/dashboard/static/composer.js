// The composer of a ticket: opens it, keeps drafts on the server, inserts recipients and texts, and counts down to the
// sending of a reply.
"use strict";
(() => {
  const composer = document.getElementById("composer");
  if (!composer) return;
  const open = (mode) => {
    document.getElementById(`c-${mode}`).checked = true;
    const target = composer.querySelector(`.${mode}-form :is(textarea, a.button)`) ?? composer;
    target.focus();
    target.scrollIntoView({ block: "nearest" });
  };
  // Only a click and a shortcut move the focus into the form. The arrow keys move between the tabs.
  for (const label of composer.querySelectorAll(".composer-tabs label")) {
    label.addEventListener("click", (event) => {
      event.preventDefault(); // the focus would move to the tab, and the first keys would be lost
      open(label.htmlFor.slice(2));
    });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-composes]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const menu = link.closest(".menu");
    if (menu) menu.open = false;
    open(link.dataset.composes);
  });

  // Keeps the draft of a form. Saves one text at a time, so that an older one never arrives last.
  const DELAY_MS = 800, FIELDS = ["text", "to", "cc", "bcc"];
  const recipients = (text) => (text.match(/(?:"[^"]*"|[^",;\n])+/g) ?? []).map((each) => each.trim()).filter(Boolean);
  function keepDraft(form) {
    const state = form.querySelector(".draft-state"), kind = form.dataset.kind;
    const read = () => {
      const draft = { kind, text: form.elements.text.value };
      if (kind === "reply") for (const name of FIELDS.slice(1)) draft[name] = recipients(form.elements[name].value);
      return JSON.stringify(draft);
    };
    const put = (body) => fetch(form.dataset.draft, { method: "PUT", headers: { "Content-Type": "application/json" }, body, keepalive: true }).catch(() => null);
    let saved = read(), timer = null, saving = null, isSubmitted = false;
    form.addEventListener("input", ({ target }) => {
      if (!FIELDS.includes(target.name)) return;
      clearTimeout(timer);
      timer = setTimeout(save, DELAY_MS);
    });
    async function save() {
      clearTimeout(timer);
      const body = read();
      if (saving || isSubmitted || body === saved) return saving;
      saving = put(body);
      const response = await saving;
      saving = null;
      if (response?.ok) {
        saved = body;
        state.textContent = form.elements.text.value.trim() ? "Draft saved" : "Draft removed";
        if (read() !== saved) timer = setTimeout(save, DELAY_MS);
      } else state.textContent = "Draft not saved";
    }
    // A draft that is being saved must not arrive after the text is sent, which deletes it.
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
      saved = read();
    });
    addEventListener("pagehide", () => { if (!isSubmitted && read() !== saved) put(read()); });
    addEventListener("pageshow", () => { isSubmitted = false; });
  }
  for (const form of composer.querySelectorAll("form[data-draft]")) keepDraft(form);

  // Fills the form from the page that its button would load. Everything but the texts stays, also the selected files.
  const reply = composer.querySelector("form.reply-form");
  reply?.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-fills]");
    if (!button) return;
    event.preventDefault();
    const data = new FormData(reply, button);
    data.delete("files");
    const response = await fetch(button.formAction, { method: "POST", body: data }).catch(() => null);
    const page = response && new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page?.querySelector("form.reply-form");
    if (!response?.ok || !fresh) {
      dashboard.announce(page?.querySelector(".problem")?.textContent ?? "Not inserted: the server did not answer");
      return;
    }
    for (const name of ["to", "cc", "bcc", "subject", "text"]) reply.elements[name].value = fresh.elements[name].value;
    reply.elements.text.readOnly = fresh.elements.text.readOnly;
    for (const part of [".recipient-notes", ".template-note"]) reply.querySelector(part).replaceWith(document.importNode(fresh.querySelector(part), true));
    reply.elements.text.dispatchEvent(new Event("input", { bubbles: true }));
    reply.elements.text.focus();
  });

  // Counts down by the server's clock.
  const clockOffset = Date.now() - Date.parse(document.getElementById("main").dataset.now);
  setInterval(() => {
    for (const each of document.querySelectorAll("[data-until]")) {
      const seconds = Math.ceil((Date.parse(each.dataset.until) + clockOffset - Date.now()) / 1000);
      each.textContent = seconds > 0 ? `in ${seconds} s` : "now";
    }
  }, 1000);
})();
