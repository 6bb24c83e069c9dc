// The board of appointments: drag one to another slot or artist, or its lower edge to another end; the same by Shift and the arrow keys.
// Nothing is moved here: the server decides, and the board is drawn anew from its answer. Every page works without this file, by the link "Move".
(function () {
  "use strict";

  const say = document.getElementById("board-say");
  let board = document.getElementById("board");
  if (!board || !say) return;
  let pending = null; // what is being moved: { cell, column, row, end, ghost }

  const slots = () => [...board.querySelectorAll("tr[data-at]")];
  const columns = () => [...board.querySelectorAll("thead th[data-artist]")];
  const announce = window.AtelierMoving.announcer(say);

  const rowUnder = (y) => {
    const rows = slots();
    let best = 0, nearest = Infinity;
    rows.forEach((row, index) => {
      const distance = Math.abs(row.getBoundingClientRect().top - y);
      if (distance < nearest) { nearest = distance; best = index; }
    });
    return best;
  };
  const columnUnder = (x) => columns().findIndex((head) => { const box = head.getBoundingClientRect(); return x >= box.left && x < box.right; });
  // The row of a slot in which a time of the page lies: an appointment may begin between two slots.
  const rowOf = (cell) => Math.max(0, slots().filter((row) => row.rowIndex <= cell.parentElement.rowIndex).length - 1);
  const lastRowOf = (cell) => Math.max(0, slots().filter((row) => row.rowIndex < cell.parentElement.rowIndex + cell.rowSpan).length - 1);

  const begin = (cell, stretches) => {
    if (pending) leave();
    const ghost = document.createElement("div");
    ghost.className = "board-ghost";
    ghost.append(document.createElement("span"));
    board.append(ghost);
    board.classList.add("moving");
    cell.classList.add("moved");
    const column = columns().findIndex((head) => head.dataset.artist === cell.dataset.artist);
    pending = { cell, column, from: column, row: rowOf(cell), end: lastRowOf(cell), stretches, ghost, changed: false };
    show();
  };

  const show = () => {
    const { cell, column, row, end, stretches, ghost, changed } = pending;
    const frame = board.getBoundingClientRect(), head = columns()[column].getBoundingClientRect(), rows = slots(), own = cell.getBoundingClientRect();
    const top = stretches || !changed ? own.top : rows[row].getBoundingClientRect().top;
    const height = stretches ? below(rows, end) - own.top : own.height;
    Object.assign(ghost.style, { left: `${head.left - frame.left}px`, width: `${head.width}px`, top: `${top - frame.top}px`, height: `${Math.max(height, 12)}px` });
    ghost.firstChild.textContent = words();
  };
  const below = (rows, index) => (rows[index + 1] ? rows[index + 1].getBoundingClientRect().top : board.querySelector("tbody").getBoundingClientRect().bottom);
  const words = () => {
    const rows = slots();
    if (pending.stretches) return rows[pending.end].dataset.clockUntil;
    const name = columns()[pending.column].textContent;
    return pending.column === pending.from ? rows[pending.row].dataset.clock : `${rows[pending.row].dataset.clock}, ${name}`;
  };

  const leave = (text) => {
    if (!pending) return;
    pending.ghost.remove();
    pending.cell.classList.remove("moved");
    board.classList.remove("moving");
    pending = null;
    if (text) announce(text);
  };

  const send = async () => {
    const { cell, column, row, end, stretches } = pending, rows = slots();
    const body = new URLSearchParams();
    if (stretches) { body.set("start", cell.dataset.from); body.set("end", rows[end].dataset.until); } else body.set("start", rows[row].dataset.at);
    const artist = columns()[column].dataset.artist;
    if (artist !== cell.dataset.artist) body.set("artist", artist);
    const { shift: url, code } = cell.dataset;
    pending.sent = true;
    try {
      const { ok, said } = await window.AtelierMoving.send(url, body);
      leave();
      if (!ok) { announce(said.message, "error"); focusOn(code); return; }
      await drawAnew(code);
      window.AtelierMoving.forget();
      announce(said.message, "success");
    } catch {
      leave();
      announce(board.dataset.offline, "error");
    }
  };

  const drawAnew = async (code) => {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
    if (!fresh) { window.location.reload(); return; }
    const scroll = board.querySelector(".scroll-x"), at = [scroll.scrollLeft, scroll.scrollTop];
    board.replaceWith(document.adoptNode(fresh));
    board = fresh;
    board.querySelector(".scroll-x").scrollTo(...at);
    focusOn(code);
  };
  const focusOn = (code) => { const link = board.querySelector(`td[data-code="${CSS.escape(code)}"] a.name`); if (link) link.focus({ preventScroll: true }); };

  // By pointer. A mouse takes an appointment anywhere, a finger by its handle, so that the page still scrolls.
  let held = null; // pressed, and perhaps not dragged yet
  document.addEventListener("pointerdown", (event) => {
    const cell = event.target.closest("#board td[data-shift]");
    if (!cell || event.button !== 0 || (pending && pending.sent)) return;
    const stretches = event.target.closest(".edge") !== null;
    if (event.target.closest("a.move") || (event.pointerType === "touch" && !stretches && !event.target.closest(".grip"))) return;
    held = { cell, stretches, x: event.clientX, y: event.clientY, above: event.clientY - cell.getBoundingClientRect().top, id: event.pointerId };
  });
  document.addEventListener("dragstart", (event) => { if (event.target.closest("#board td[data-shift]")) event.preventDefault(); });
  document.addEventListener("pointermove", (event) => {
    if (!held || event.pointerId !== held.id) return;
    if (!pending) {
      if (Math.hypot(event.clientX - held.x, event.clientY - held.y) < 5) return;
      begin(held.cell, held.stretches);
    }
    event.preventDefault();
    const column = columnUnder(event.clientX);
    if (held.stretches) pending.end = Math.max(rowOf(held.cell), rowUnder(event.clientY) - 1);
    else {
      if (column >= 0) pending.column = column;
      pending.row = rowUnder(event.clientY - held.above);
    }
    pending.changed = true;
    show();
    const scroll = board.querySelector(".scroll-x"), box = scroll.getBoundingClientRect();
    if (event.clientY > box.bottom - 32) scroll.scrollTop += 12;
    if (event.clientY < box.top + 56) scroll.scrollTop -= 12;
  });
  const released = (event) => {
    if (!held || event.pointerId !== held.id) return;
    const wasDragged = pending !== null;
    held = null;
    if (!wasDragged) return;
    // The click that follows a drag is none.
    const swallow = (click) => { click.preventDefault(); click.stopPropagation(); };
    window.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => window.removeEventListener("click", swallow, { capture: true }), 0);
    if (event.type === "pointercancel" || isWhereItWas()) leave(event.type === "pointercancel" ? board.dataset.left : "");
    else send();
  };
  document.addEventListener("pointerup", released);
  document.addEventListener("pointercancel", released);
  const isWhereItWas = () => {
    const { cell, column, from, row, end, stretches } = pending;
    return stretches ? end === lastRowOf(cell) : column === from && slots()[row].dataset.at === cell.dataset.from;
  };

  // By keyboard: Shift and an arrow shows where it would go, Enter does it, Escape or going away leaves it.
  document.addEventListener("keydown", (event) => {
    if (pending && event.key === "Escape") { held = null; leave(board.dataset.left); event.preventDefault(); return; }
    const cell = event.target.closest("#board td[data-shift]");
    if (!cell) return;
    if (pending && event.key === "Enter" && !pending.sent && pending.cell === cell) {
      event.preventDefault();
      if (isWhereItWas()) leave(board.dataset.left); else send();
      return;
    }
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || !event.shiftKey || event.ctrlKey || event.metaKey || (pending && pending.sent)) return;
    event.preventDefault();
    if (!pending || pending.cell !== cell || pending.stretches !== event.altKey) begin(cell, event.altKey);
    const last = slots().length - 1, within = (value, low, high) => Math.min(Math.max(value, low), high);
    if (event.altKey) pending.end = within(pending.end + step[0], rowOf(cell), last);
    else { pending.row = within(pending.row + step[0], 0, last); pending.column = within(pending.column + step[1], 0, columns().length - 1); }
    pending.changed = true;
    show();
    pending.ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
    announce((event.altKey ? board.dataset.askEnd : board.dataset.ask).replace("%s", words()), "info");
  });
  document.addEventListener("focusout", (event) => {
    if (!pending || pending.sent || held || pending.cell.contains(event.relatedTarget)) return;
    leave(board.dataset.left);
  });
})();
