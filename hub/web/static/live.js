"use strict";
// Two things, both optional: times become "5 min ago", and what is marked data-live is brought up to date by asking for
// this very page again. The server answers 304 where nothing changed. The server has escaped everything; nothing is built here.
(() => {
  const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [7 * 86400, 86400, "d"]];
  const FAR_DOWN = 300;
  const every = Number(document.body.dataset.every || 0) * 1000;
  const toggle = document.getElementById("toggle");
  const held = document.getElementById("held");
  const told = new WeakMap();
  let paused = false;

  function ago(moment) {
    const seconds = Math.round((Date.now() - moment) / 1000);
    const span = Math.abs(seconds);
    if (span < 5) return "now";
    for (const [below, unit, name] of STEPS) {
      if (span < below) {
        const amount = `${Math.floor(span / unit)} ${name}`;
        return seconds > 0 ? `${amount} ago` : `in ${amount}`;
      }
    }
    return null;
  }

  function tellTimes() {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Date.parse(time.dateTime));
      if (text !== null && time.textContent !== text) time.textContent = text;
    }
  }

  // What the server said of an element, before times were told in it.
  function remember(element) {
    told.set(element, element.outerHTML);
    return element;
  }

  function rows(list) {
    return new Map([...list.children].map((row) => [row.id, row]));
  }

  function mergeRows(list, fresh) {
    const old = rows(list);
    const coming = [...fresh.children];
    const known = coming.filter((row) => old.has(row.id));
    const news = coming.length - known.length;
    if (news && window.scrollY > FAR_DOWN) {  // somebody reads further down: the new ones wait
      known.forEach((row) => replace(old.get(row.id), row));
      held.textContent = `${news} new: show`;
      held.hidden = false;
      return;
    }
    held.hidden = true;
    const kept = new Set(coming.map((row) => row.id));
    old.forEach((row, id) => kept.has(id) || row.remove());
    let place = null;
    for (const row of coming.reverse()) {
      const there = old.get(row.id);
      const now = there ? replace(there, row) : remember(document.importNode(row, true));
      if (!there) now.classList.add("fresh");
      if (now.parentNode !== list || now.nextElementSibling !== place) list.insertBefore(now, place);
      place = now;
    }
  }

  function replace(there, row) {
    if (told.get(there) === row.outerHTML) return there;
    const now = remember(document.importNode(row, true));
    there.replaceWith(now);
    return now;
  }

  function merge(page) {
    for (const here of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(here.id);
      if (!fresh) continue;
      if (here.dataset.live === "rows" && here.children.length && fresh.children.length) mergeRows(here, fresh);
      else if (told.get(here) !== fresh.outerHTML) here.replaceWith(remember(document.importNode(fresh, true)));
    }
    tellTimes();
  }

  function show(state) {
    toggle.dataset.state = state;
    toggle.textContent = { live: "Live", paused: "Paused", lost: "No answer" }[state];
    toggle.setAttribute("aria-pressed", String(state === "paused"));
  }

  async function refresh() {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-cache" });
      if (!answer.ok) throw new Error(String(answer.status));
      merge(new DOMParser().parseFromString(await answer.text(), "text/html"));
      show(paused ? "paused" : "live");
    } catch {
      show("lost");
    }
  }

  async function go() {
    await refresh();
    setTimeout(go, every);
  }

  for (const element of document.querySelectorAll("[data-live]")) {
    (element.dataset.live === "rows" ? [...element.children] : [element]).forEach(remember);
  }
  tellTimes();
  setInterval(tellTimes, 5000);
  if (every && toggle) {
    toggle.hidden = false;
    toggle.addEventListener("click", () => {
      paused = !paused;
      show(paused ? "paused" : "live");
      refresh();
    });
    held.addEventListener("click", () => {
      window.scrollTo(0, 0);
      refresh();
    });
    document.addEventListener("visibilitychange", refresh);
    setTimeout(go, every);
  }
})();
