// The calendar on a wide window: EventCalendar draws the day by room and person, the week or the month, from the JSON feeds. Nothing is moved
// here: the server decides, and what it refuses goes back where it was, with the reason. Without this file, and on a phone, the list is the page.
//
// Times are the clock on the studio's wall, without an offset, so that they look the same wherever their reader sits. The exact instants that an
// event was drawn from go along with each move: what did not change is not sent, and an old calendar undoes nobody's work.
(function () {
  "use strict";

  const box = document.getElementById("calendar"), region = document.getElementById("calendar-say");
  const list = document.getElementById("calendar-list"), source = document.getElementById("calendar-data");
  const panel = document.getElementById("calendar-panel"), hint = document.querySelector(".calendar-hint"), skip = document.getElementById("calendar-skip");
  if (!box || !region || !source) return;
  // The list stands until the calendar has been drawn, and again when that fails.
  const show = (isDrawn) => { box.hidden = !isDrawn; if (hint) hint.hidden = !isDrawn; list.classList.toggle("is-drawn", isDrawn); skip.hash = isDrawn ? "calendar" : "calendar-list"; };
  if (!window.EventCalendar || !window.AtelierMoving) return;

  const setup = JSON.parse(source.textContent), words = box.dataset;
  const { announcer, forget, send } = window.AtelierMoving;
  const write = announcer(region);
  // Above the calendar, which stays where it is; it goes when it is closed, or when there is something else to say.
  const announce = (text, level) => {
    const said = write(text, level), close = document.createElement("button");
    close.type = "button";
    close.className = "btn-close";
    close.setAttribute("aria-label", words.close);
    close.addEventListener("click", () => said.remove());
    said.append(close);
    return said;
  };
  const language = document.documentElement.lang || "en";
  const HOUR = 3600, DAY = 24 * HOUR;
  let widget = null, resources = [], closed = [], hasRead = false;

  // -- times on the wall: reckoned as if they were UTC, so that no clock change of the browser's own zone is in the way
  const asUTC = (wall) => new Date(`${wall}Z`);
  const wallOf = (date) => date.toISOString().slice(0, 19);
  const plus = (wall, delta) => {
    const date = asUTC(wall);
    date.setUTCDate(date.getUTCDate() + delta.days);
    date.setUTCSeconds(date.getUTCSeconds() + delta.seconds);
    return wallOf(date);
  };
  const isNothing = (delta) => !delta || (!delta.days && !delta.seconds);
  const wallNow = (date) => { const two = (n) => String(n).padStart(2, "0"); return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:00`; };
  const clock = (date) => wallNow(date).slice(11, 16);
  // Days in the server's words.
  const aboutDay = (date) => setup.days[wallNow(date).slice(0, 10)] || { words: "", remark: "" };
  const hours = (event) => {
    const { day, lastDay } = event.extendedProps;
    if (event.allDay) return `${lastDay ? `${day} – ${lastDay}` : day}, ${words.allDay}`;
    return `${day}, ${clock(event.start)}–${lastDay ? `${lastDay}, ` : ""}${clock(event.end)}`;
  };

  // -- reading
  const ask = async (url, query) => {
    const address = new URL(url, window.location.origin);
    Object.entries(query || {}).forEach(([name, value]) => address.searchParams.set(name, value));
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.message);
    return said;
  };
  const read = async (info) => {
    try {
      const found = await ask(setup.events, { start: info.startStr.slice(0, 10), end: info.endStr.slice(0, 10) });
      const known = new Set(resources.map((each) => each.id)), unknown = found.resources.filter((each) => !known.has(each.id));
      if (unknown.length && setup.view === "day") { resources = [...resources, ...unknown]; widget.setOption("resources", resources); }
      hasRead = true;
      closed = found.closed;
      if (setup.view === "day") fit(found.hours);
      if (found.truncated) announce(found.message, "warning");
      return [...few(found.events).map(drawn), ...(setup.view === "month" ? shut() : closed.map(shade))];
    } catch (error) {
      if (!hasRead) show(false);
      announce(error instanceof TypeError || !error.message ? words.failed : error.message, "error");
      return [];
    }
  };
  // So many of a day are drawn, and above them how many there are, with the way to the day: thousands would hold the browser up for minutes.
  const MOST_OF_A_DAY = { week: 60, month: 10 };
  const few = (events) => {
    const most = MOST_OF_A_DAY[setup.view], days = new Map();
    if (!most) return events;
    const kept = events.filter((event) => {
      if (event.allDay || event.display === "background") return true;
      const day = event.start.slice(0, 10), count = (days.get(day) || 0) + 1;
      days.set(day, count);
      return count <= most;
    });
    const full = [...days].filter(([, count]) => count > most);
    return [...full.map(([day, count]) => ({ id: `all-${day}`, title: words.all.replace("%s", count), start: day, end: day, allDay: true, classNames: ["c-all"], extendedProps: { kind: "all", day } })), ...kept];
  };
  // What was drawn from goes along: the wall's clock of before, and the exact instants.
  const drawn = (event) => {
    const more = event.extendedProps, givesOnly = more.mayGive && !more.mayMove;
    return {
      ...event,
      // Where there are no lines of rooms and people, only its time can change.
      startEditable: more.mayMove || (givesOnly && setup.view === "day"),
      classNames: givesOnly ? [...event.classNames, "c-give"] : event.classNames,
      extendedProps: { ...more, start: event.start, end: event.end },
    };
  };
  const shade = (span, index) => ({
    id: `closed-hours-${index}`, start: span.start, end: span.end, display: "background", classNames: ["c-shut"],
    resourceIds: resources.map((each) => each.id), extendedProps: { kind: "shut" },
  });

  // A month has no hours: a day that is closed is shaded as a whole.
  const shut = () => Object.entries(setup.days).filter(([, each]) => each.isClosed).map(([day]) => ({
    id: `closed-${day}`, start: day, end: day, allDay: true, display: "background", classNames: ["c-shut"], extendedProps: { kind: "shut" },
  }));

  // -- drawing
  const element = (tag, css, text) => { const made = document.createElement(tag); made.className = css; made.textContent = text; return made; };
  const content = ({ event, view }) => {
    const more = event.extendedProps;
    if (event.display === "background" || event.display === "pointer") return undefined;
    if (more.kind === "all") return { domNodes: [element("span", "c-title", event.title)] };
    const nodes = [];
    if (!event.allDay) {
      const when = element("span", "c-when", clock(event.start));
      if (view.type !== "dayGridMonth") when.append(element("span", "c-until", `–${clock(event.end)}`));
      nodes.push(when);
    }
    nodes.push(element("span", "c-title", event.title));
    // In the day it stands in the line of whose it is; in a month there is room for it where there is no title of a client.
    const whose = more.kind === "closed" ? more.place : (more.who || []).join(", "), isBlock = more.kind === "closed" || more.kind === "off";
    if (whose && (isBlock ? view.type !== "resourceTimelineDay" : view.type === "timeGridWeek")) nodes.push(element("span", "c-who", whose));
    if (isBlock && more.note) nodes.push(element("span", "c-who", more.note));
    if (more.state) nodes.push(element("span", "c-state", more.heldWords ? `${more.state}, ${more.heldWords}` : more.state));
    // Where it stands tells the eye the day and the place; in words they are for who listens.
    nodes.push(element("span", "visually-hidden", [more.day, more.place].filter(Boolean).join(", ")));
    return { domNodes: nodes };
  };
  const mounted = ({ el, event }) => {
    if (event.display === "background") { el.setAttribute("aria-hidden", "true"); return; }
    if (event.extendedProps.kind === "all") { el.setAttribute("role", "link"); return; }
    const more = event.extendedProps, said = [event.title, hours(event), more.state, more.heldWords, more.place, (more.who || []).join(", ")];
    el.setAttribute("aria-haspopup", "dialog");
    el.title = said.filter(Boolean).join(" · ");
    el.dataset.key = event.id;
  };
  const label = ({ resource }) => {
    const nodes = [];
    if (resource.extendedProps.css) nodes.push(element("span", `swatch ${resource.extendedProps.css}`, ""));
    if (resource.extendedProps.kind === "room") nodes.push(element("i", "bi bi-door-open", ""));
    nodes.push(element("span", "", resource.title));
    nodes.forEach((each) => { if (!each.textContent) each.setAttribute("aria-hidden", "true"); });
    return { domNodes: nodes };
  };

  // -- the panel of one event
  const part = (name) => panel.querySelector(`[data-part="${name}"]`);
  const fill = (name, text) => {
    part(name).textContent = text || "";
    part(name).hidden = !text;
    const title = panel.querySelector(`[data-of="${name}"]`);
    if (title) title.hidden = !text;
  };
  const open = ({ event }) => {
    const more = event.extendedProps;
    if (more.kind === "all") {
      const address = new URL(window.location.href);
      address.searchParams.set("view", "day");
      address.searchParams.set("date", more.day);
      window.location.assign(address);
      return;
    }
    panel.querySelector("h2").textContent = event.title;
    fill("state", more.heldWords ? `${more.state}, ${more.heldWords}` : more.state);
    part("state").className = `state ${(event.classNames || []).filter((each) => each.startsWith("s-")).join(" ")}`;
    fill("when", hours(event));
    fill("place", more.place);
    fill("who", (more.who || []).join(", "));
    fill("note", more.note);
    fill("fixed", more.fixed);
    part("open").hidden = !more.url;
    if (more.url) part("open").href = more.url;
    part("move").hidden = !more.move;
    if (more.move) part("move").href = `${more.move}?next=${encodeURIComponent(window.location.pathname + window.location.search)}`;
    panel.showModal();
  };
  part("close").addEventListener("click", () => panel.close());
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });

  // -- moving
  const kindOf = (resource) => (resource ? resource.id[0] : "");
  // What can only be refused does not follow the pointer: a room for a person, another time where only the people may change. Dropped there all the
  // same, the server says why not.
  const mayDrop = ({ oldEvent, oldResource, newResource, delta }) => {
    const more = oldEvent.extendedProps;
    if (!more.mayMove && !isNothing(delta)) return false;
    if (!newResource || !oldResource || newResource.id === oldResource.id) return true;
    if (!more.mayGive || newResource.id === "none" || oldEvent.resourceIds.includes(newResource.id)) return false;
    return oldResource.id === "none" || kindOf(oldResource) === kindOf(newResource);
  };
  const mayStretch = ({ event }) => (event.end - event.start) / 1000 <= DAY;

  const bodyOf = (change) => {
    const body = new URLSearchParams();
    Object.entries(change).forEach(([name, value]) => { if (value) body.set(name, value); });
    return body;
  };
  // What is said of a move is said of the calendar as it stands by then.
  const waiting = [];
  const reread = () => new Promise((done) => { waiting.push(done); widget.refetchEvents(); });
  const loading = (isLoading) => {
    box.setAttribute("aria-busy", isLoading ? "true" : "false");
    if (!isLoading) requestAnimationFrame(() => waiting.splice(0).forEach((done) => done()));
  };
  const move = async (url, change, revert) => {
    announce(words.wait, "info");
    try {
      const { ok, said } = await send(url, bodyOf(change));
      if (!ok) { revert(); announce(said.message, "error"); return null; }
      forget();
      await reread();
      return said;
    } catch {
      revert();
      announce(words.offline, "error");
      return null;
    }
  };
  const dropped = async (info, start, end) => {
    const more = info.oldEvent.extendedProps, from = info.oldResource && info.oldResource.id, to = info.newResource && info.newResource.id;
    const change = { start, end, from_resource: from, to_resource: to, seen_start: more.seenStart, seen_end: more.seenEnd };
    const said = await move(more.shift, change, info.revert);
    if (!said) return;
    const message = announce(said.message, "success");
    // From nobody to somebody has no way back by itself.
    if (from === "none") return;
    const back = { from_resource: to, to_resource: from, seen_start: said.start, seen_end: said.end };
    if (start || end) Object.assign(back, { start: more.seenStart, end: more.seenEnd });
    const undo = element("button", "btn btn-quiet btn-sm", words.undo);
    undo.type = "button";
    undo.addEventListener("click", async () => { if (await move(more.shift, back, () => {})) announce(words.undone, "success"); });
    message.lastChild.before(undo);
  };
  const onDrop = (info) => {
    const { start, end, mayMove, fixed } = info.oldEvent.extendedProps;
    if (!mayMove && fixed && !isNothing(info.delta)) { info.revert(); announce(fixed, "error"); return; }
    if (isNothing(info.delta)) { if (info.newResource) dropped(info); else info.revert(); return; }
    dropped(info, plus(start, info.delta), plus(end, info.delta));
  };
  const onStretch = (info) => {
    const { start, end } = info.oldEvent.extendedProps;
    dropped(info, isNothing(info.startDelta) ? "" : plus(start, info.startDelta), isNothing(info.endDelta) ? "" : plus(end, info.endDelta));
  };

  // An empty place asks whether a client can be served there; in the line of an artist it is for an appointment.
  const onEmpty = (info) => {
    if (info.jsEvent.target.closest(".ec-event")) return;
    const [day, time] = info.dateStr.split("T"), query = new URLSearchParams(), { resource } = info;
    const kind = resource ? resource.extendedProps.kind : "", key = resource ? resource.id.slice(2) : "";
    const isForArtist = setup.book && (kind === "artist" || !setup.serve);
    if (!isForArtist && !setup.serve) return;
    if (isForArtist) {
      query.set("start", `${day}T${info.allDay ? "10:00" : time.slice(0, 5)}`);
      if (kind === "artist") query.set("artist", key);
    } else {
      query.set("first_day", day);
      if (!info.allDay) query.set("start_time", time.slice(0, 5));
      if (kind === "room") query.set("room", key);
      if (kind === "photographer") query.set("people", key);
    }
    window.location.assign(`${isForArtist ? setup.book : setup.serve}?${query}`);
  };

  // What is to be seen of a day: the hours in which the studio is open or something is booked. Up to thirteen of them stand side by side, of more
  // one scrolls through them.
  const NAMES = 177, HALF_HOUR = 34, WIDE_HALF_HOUR = 44;
  let shown = { from: 8, to: 20 };
  const fit = (range) => {
    shown = range || shown;
    const slots = 2 * (shown.to - shown.from), width = Math.floor(100 * (box.clientWidth - NAMES) / slots) / 100;
    const changes = { slotMinTime: `${shown.from}:00`, slotMaxTime: `${shown.to}:00`, slotWidth: width >= HALF_HOUR ? width : WIDE_HALF_HOUR };
    Object.entries(changes).forEach(([name, value]) => { if (widget.getOption(name) !== value) widget.setOption(name, value); });
  };
  const dayHead = (date) => {
    const { words: name, remark } = aboutDay(date), nodes = [element("span", "c-day", name)];
    if (remark) nodes.push(element("span", "c-remark", remark));
    return { domNodes: nodes };
  };
  const dayName = (date) => { const { words: name, remark } = aboutDay(date); return remark ? `${name}, ${remark}` : name; };
  const dayCell = (date) => {
    const { remark } = aboutDay(date), nodes = [element("span", "", String(date.getDate()))];
    if (remark) {
      nodes.unshift(element("span", "c-remark", `${remark} `));
      nodes[0].title = remark;
    }
    return { domNodes: nodes };
  };

  // -- the widget
  const VIEWS = { day: "resourceTimelineDay", week: "timeGridWeek", month: "dayGridMonth" };
  const options = () => ({
    view: VIEWS[setup.view],
    date: setup.date,
    // Of the studio's clock: the line of the present and today.
    timeZone: setup.offset,
    locale: language,
    firstDay: 1,
    headerToolbar: { start: "", center: "", end: "" },
    // The day is as high as there are rooms and people.
    ...(setup.view === "day" ? {} : { height: setup.view === "month" ? "46rem" : "44rem" }),
    nowIndicator: true,
    dayMaxEvents: true,
    moreLinkContent: (arg) => words.more.replace("%s", arg.num),
    buttonText: (text) => ({ ...text, close: words.close }),
    slotDuration: "00:30",
    snapDuration: "00:15",
    slotLabelInterval: "01:00",
    slotHeight: 28,
    slotWidth: 40,
    scrollTime: "07:00",
    customScrollbars: true,
    ...(setup.view === "month" ? { dayCellFormat: dayCell, dayPopoverFormat: dayName } : { dayHeaderFormat: dayHead, dayHeaderAriaLabelFormat: dayName }),
    slotEventOverlap: false,
    slotLabelFormat: (time) => clock(time),
    allDayContent: words.allDay,
    eventDragMinDistance: 5,
    longPressDelay: 500,
    editable: false,
    eventResizableFromStart: true,
    resources,
    eventSources: [{ events: read }],
    eventContent: content,
    eventDidMount: mounted,
    // Travel is somebody's, and is drawn in their line.
    eventFilter: ({ event, view }) => view.type === "resourceTimelineDay" || !["cover"].includes(event.extendedProps.kind),
    eventClick: open,
    dateClick: onEmpty,
    dragConstraint: mayDrop,
    resizeConstraint: mayStretch,
    eventDrop: onDrop,
    eventResize: onStretch,
    resourceLabelContent: label,
    loading,
  });

  // The widget calls itself a table, without the rows of one: each event says in words where it stands, and that is all there is to hear.
  const TABLE = ["table", "rowgroup", "row", "rowheader", "columnheader", "cell"].map((each) => `[role=${each}]`).join();
  const COUNTED = ["aria-colindex", "aria-colspan"];
  const tidy = () => {
    box.querySelectorAll(TABLE).forEach((each) => each.removeAttribute("role"));
    box.querySelectorAll(COUNTED.map((each) => `[${each}]`).join()).forEach((each) => COUNTED.forEach((name) => each.removeAttribute(name)));
  };
  new MutationObserver(tidy).observe(box, { childList: true, subtree: true });

  const start = async () => {
    try {
      if (setup.view === "day") resources = (await ask(setup.resources)).resources;
      show(true);
      widget = window.EventCalendar.create(box, options());
    } catch (error) {
      widget = null;
      show(false);
      box.replaceChildren();
      console.error(error);
    }
  };
  // A phone has the list: there a finger scrolls, and a line of a day is too short to be read.
  const wide = window.matchMedia("(min-width: 48rem)");
  const decide = () => {
    if (wide.matches && !widget) start();
    else if (widget) show(wide.matches);
  };
  decide();
  wide.addEventListener("change", decide);
  window.addEventListener("resize", () => { if (widget && wide.matches && setup.view === "day") fit(); });
})();
