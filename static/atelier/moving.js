// What the board of appointments and the calendar have in common: the server decides on a move, and its answer is said.
window.AtelierMoving = (function () {
  "use strict";

  const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRFToken"];

  return {
    // Says things in a live region; returns the box, for what is to stand beside the words.
    announcer: (region) => (text, level) => {
      const box = document.createElement("div");
      if (level) box.className = `say ${level}`;
      box.textContent = text;
      region.replaceChildren(box);
      return box;
    },
    // What was said when the page came may no longer be so.
    forget: () => { const before = document.getElementById("messages"); if (before) before.replaceChildren(); },
    // { ok, said }; throws when nobody answers.
    send: async (url, body) => {
      const answer = await fetch(url, { method: "POST", body, headers: { Accept: "application/json", "X-CSRFToken": token() } });
      return { ok: answer.ok, said: await answer.json() };
    },
  };
})();
