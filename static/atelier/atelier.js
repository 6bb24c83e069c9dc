// Small comforts. Every page works without this file; nothing is confirmed here (acts with consequences have a page that shows them).
(function () {
  "use strict";

  const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

  // "/" goes to the search, Escape closes an open menu and gives the focus back.
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) {
      const search = document.querySelector("[data-search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
    if (event.key === "Escape") {
      const open = document.querySelector("details[data-menu][open]");
      if (open) { open.open = false; open.querySelector("summary").focus(); }
    }
  });
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details[data-menu][open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  // A filter applies itself when a choice changes; text waits for Enter or the button.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-autosubmit]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio], input[type=date]")) form.requestSubmit();
  });
  // An empty filter has no place in the address.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-autosubmit]")) return;
    const empty = [...event.target.elements].filter((field) => field.name && field.value === "" && !field.disabled);
    empty.forEach((field) => { field.disabled = true; });
    setTimeout(() => empty.forEach((field) => { field.disabled = false; }), 0);
  });

  // A form is sent once. The button goes dead after the browser has read the form, so that its own value is sent too.
  const locked = new Set();
  const lock = (form) => {
    form.setAttribute("aria-busy", "true");
    form.querySelectorAll("button:not([type=button]):not(:disabled), input[type=submit]:not(:disabled)").forEach((button) => { button.disabled = true; locked.add(button); });
  };
  const unlock = (form) => {
    form.removeAttribute("aria-busy");
    locked.forEach((button) => { if (button.form === form || !button.isConnected) { button.disabled = false; locked.delete(button); } });
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.matches("[data-hx-post], [hx-post], [data-many]")) return;
    if (form.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
    setTimeout(() => { if (!event.defaultPrevented) lock(form); }, 0);
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(unlock));

  // After an error the first thing to mend has the focus.
  const focusFirstInvalid = (root) => {
    const wrong = root.querySelector("[data-form-errors], .is-invalid, [aria-invalid=true]");
    if (wrong) wrong.focus();
  };
  focusFirstInvalid(document);

  // What is carried elsewhere is copied by a button; without a clipboard (or this file) it is selected by hand.
  document.querySelectorAll("input[data-select]").forEach((field) => field.addEventListener("focus", () => field.select()));
  if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach((button) => {
    const said = button.parentElement.querySelector("[data-copied]");
    const field = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", () => navigator.clipboard.writeText(field.value).then(() => { said.textContent = said.dataset.copied; }, () => field.focus()));
  });

  // Times are the studio's; say so to a reader whose own clock shows another.
  const zone = document.documentElement.dataset.zone;
  if (zone) {
    try {
      const now = new Date();
      const shown = (timeZone) => now.toLocaleString("en", { timeZone, hour: "2-digit", minute: "2-digit", day: "2-digit" });
      if (shown(zone) !== shown(undefined)) document.querySelectorAll("[data-zone-note]").forEach((note) => { note.hidden = false; });
    } catch { /* a browser that does not know the zone says nothing */ }
  }

  // htmx: what the server refuses comes as a fragment and is put in (see the responseHandling in base.html); the rest is said in words.
  const say = (id) => {
    const region = document.getElementById("messages");
    const words = document.getElementById(id);
    if (!region || !words) return;
    region.replaceChildren(words.content.cloneNode(true));
    region.scrollIntoView({ block: "nearest" });
  };
  // The database is away or busy: that has words of its own, from us and not from a server in front.
  const isOutage = (xhr) => xhr.status === 503 && xhr.getResponseHeader("HX-Retarget") !== null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isOutage(event.detail.xhr)) event.detail.shouldSwap = true;
    // The session ended meanwhile: the sign-in page has no place inside this one.
    if (/<body[^>]*data-signed-out/.test(event.detail.serverResponse || "")) { event.detail.shouldSwap = false; window.location.reload(); }
  });
  // A region with data-keep-typed that is put in anew keeps what was typed into its other forms and not sent.
  let kept = [];
  const isTyped = (field) => {
    const seen = field.form && field.form.elements[`seen-${field.name}`];
    return field.value !== (seen ? seen.value : field.defaultValue);
  };
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target: region, requestConfig } = event.detail;
    if (!region || !region.matches("[data-keep-typed]")) return;
    const sent = requestConfig.elt.closest("form");
    const fields = [...region.querySelectorAll("input:not([type=hidden], [type=checkbox], [type=radio]), textarea")];
    kept = fields.filter((field) => field.id && field.form !== sent && isTyped(field)).map((field) => [field.id, field.value]);
  });
  document.addEventListener("htmx:afterSettle", () => {
    const fields = kept.map(([id, value]) => [document.getElementById(id), value]).filter(([field]) => field);
    kept = [];
    fields.forEach(([field, value]) => { field.value = value; });
    if (fields.length) fields[0][0].dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const region = event.detail.target;
    if (!region) return;
    if (region.id === "messages") region.scrollIntoView({ block: "nearest" });
    else focusFirstInvalid(region);
  });
  document.addEventListener("htmx:beforeRequest", (event) => { if (event.target.matches("form")) setTimeout(() => lock(event.target), 0); });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.target.matches("form")) setTimeout(() => unlock(event.target), 0); });
  document.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status >= 500 && !isOutage(event.detail.xhr)) say("say-broken"); });
  document.addEventListener("htmx:sendError", () => say("say-offline"));
})();
