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
    for (const details of reply.querySelectorAll(".copies")) details.open ||= Boolean(reply.elements.cc.value || reply.elements.bcc.value);
    for (const part of [".recipient-notes", ".template-note"]) reply.querySelector(part).replaceWith(document.importNode(fresh.querySelector(part), true));
    reply.elements.text.dispatchEvent(new Event("input", { bubbles: true }));
    reply.elements.text.focus();
  });

  // Files that are chosen, dropped or pasted are added to those of before. Each one has a checkbox, like a saved file.
  const input = reply?.elements.files, list = reply?.querySelector(".attached");
  let files = [];
  function showFiles() {
    const transfer = new DataTransfer();
    for (const file of files) transfer.items.add(file);
    input.files = transfer.files;
    for (const item of list.querySelectorAll("[data-new]")) item.remove();
    for (const file of files) {
      const item = document.createElement("li"), label = document.createElement("label"), name = document.createElement("bdi");
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
      item.dataset.new = "";
      label.className = "check";
      name.textContent = file.name;
      label.append(box, " ", name);
      item.append(label);
      list.append(item);
      box.addEventListener("change", () => { files = files.filter((each) => each !== file); showFiles(); input.focus(); });
    }
  }
  function addFiles(event, added) {
    if (!added?.length) return;
    event.preventDefault();
    files = [...files, ...added];
    showFiles();
  }
  if (input) {
    input.addEventListener("change", (event) => addFiles(event, input.files));
    reply.addEventListener("paste", (event) => addFiles(event, event.clipboardData?.files));
    composer.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      composer.classList.add("dropping");
    });
    for (const type of ["dragleave", "drop"]) composer.addEventListener(type, () => composer.classList.remove("dropping"));
    composer.addEventListener("drop", (event) => addFiles(event, event.dataTransfer.files));
  }

  // Counts down by the server's clock.
  const clockOffset = Date.now() - Date.parse(document.getElementById("main").dataset.now);
  setInterval(() => {
    for (const each of document.querySelectorAll("[data-until]")) {
      const seconds = Math.ceil((Date.parse(each.dataset.until) + clockOffset - Date.now()) / 1000);
      each.textContent = seconds > 0 ? `in ${seconds} s` : "now";
    }
  }, 1000);
})();
