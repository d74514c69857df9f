'use strict';
// Asks for the page again and takes over what is different, so that focus, selection, scroll position and what was unfolded stay.
(() => {
  const EVERY_MS = 2000, WITHIN_MS = 10000, ANNOUNCED_EVERY_MS = 10000;
  const main = document.querySelector('main'), live = document.getElementById('live'), news = document.getElementById('news');
  const pause = document.getElementById('pause');
  let isPaused = false, arrived = 0, announcedAt = 0;

  const next = (node) => { const after = node.nextSibling; node.remove(); return after; };

  // Makes `now` what `wanted` is. Children with an id are the same child wherever they stand.
  const merge = (now, wanted) => {
    if (now.isEqualNode(wanted)) return;
    const isOther = now.nodeType !== Node.ELEMENT_NODE || now.nodeName !== wanted.nodeName || now.id !== wanted.id;
    if (isOther || now.nodeName === 'svg') return now.replaceWith(wanted);
    for (const { name } of [...now.attributes]) if (!wanted.hasAttribute(name)) now.removeAttribute(name);
    for (const { name, value } of wanted.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    const known = new Map([...now.children].filter((child) => child.id).map((child) => [child.id, child]));
    const kept = new Set([...wanted.children].map((child) => child.id));
    let at = now.firstChild;
    for (const child of [...wanted.childNodes]) {
      const same = child.id && known.get(child.id);
      while (same && at && at !== same && !kept.has(at.id)) at = next(at);
      if (same && at !== same) now.insertBefore(same, at);
      if (same || (at && !child.id && !at.id)) {
        const target = same || at, after = target.nextSibling;
        merge(target, child);
        at = after;
      } else {
        now.insertBefore(child, at);
      }
    }
    while (at) at = next(at);
  };

  // What works only with this script is hidden without it.
  const enliven = (root) => root.querySelectorAll('[data-scripted]').forEach((it) => { it.hidden = false; });

  const keep = (wanted) => {
    for (const unfolded of main.querySelectorAll('details[open]')) {
      const same = unfolded.id && wanted.querySelector('#' + CSS.escape(unfolded.id));
      if (same) same.open = true;
    }
    for (const row of wanted.querySelectorAll('tr[id]')) {
      const before = document.getElementById(row.id);
      if (!before) { arrived += 1; row.className = 'new'; } else { row.className = before.className; }
    }
  };

  // What is being read: the control that has the focus, or else what stands first on the screen.
  const read = () => {
    const top = (it) => it.getBoundingClientRect().top, focused = document.activeElement;
    if (main.contains(focused) && 0 <= top(focused) && top(focused) < innerHeight) return focused;
    return scrollY > 0 ? [...main.querySelectorAll('h2, tr[id], figure')].find((it) => 0 <= top(it)) : null;
  };

  const announce = (time) => {
    if (!arrived || time - announcedAt < ANNOUNCED_EVERY_MS) return;
    news.textContent = arrived === 1 ? 'One new row.' : arrived + ' new rows.';
    [arrived, announcedAt] = [0, time];
  };

  const refresh = async () => {
    if (isPaused || document.hidden) return;
    try {
      const response = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(WITHIN_MS) });
      if (!response.ok) throw new Error(String(response.status));
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const wanted = page.querySelector('main');
      if (isPaused || !wanted) return;
      enliven(wanted);
      keep(wanted);
      const focused = document.activeElement, section = focused && focused.closest('section');
      const anchor = read(), top = anchor && anchor.getBoundingClientRect().top;
      merge(main, wanted);
      if (anchor && anchor.isConnected) scrollBy({ top: anchor.getBoundingClientRect().top - top, behavior: 'instant' });
      // The row that had the focus was the oldest and is gone.
      if (section && !focused.isConnected) section.querySelector('h2').focus({ preventScroll: true });
      document.title = page.title;
      live.textContent = 'Live';
      announce(Date.now());
    } catch {
      live.textContent = 'No answer, trying again';
    }
  };

  const again = () => setTimeout(async () => { await refresh(); again(); }, EVERY_MS);

  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    live.textContent = isPaused ? 'Paused' : 'Live';
    refresh();
  });

  document.addEventListener('click', async ({ target }) => {
    const command = target.dataset && target.dataset.copies && document.getElementById(target.dataset.copies);
    if (!command) return;
    try {
      await navigator.clipboard.writeText(command.textContent);
      news.textContent = 'Copied.';
    } catch {
      getSelection().selectAllChildren(command);
      news.textContent = 'Selected, to be copied by the keyboard.';
    }
  });

  enliven(document);
  live.textContent = 'Live';
  again();
})();
