// The service worker of a page without a signal: it keeps the shell, which says nothing about anybody, and nothing else.
// What is taken along and what is filled in never pass through this cache; they lie encrypted in IndexedDB (field-store.js).
"use strict";
const MINE = "doudi-{{ name }}-", CACHE = MINE + "{{ version }}";
const SHELL = "{{ shell|escapejs }}";
const PARTS = [{% for part in parts %}"{{ part|escapejs }}"{% if not forloop.last %}, {% endif %}{% endfor %}];
const PATIENCE = 4000;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE)
      .then((cache) => cache.addAll([SHELL].concat(PARTS).map((path) => new Request(path, { cache: "reload", credentials: "same-origin" }))))
      .then(() => self.skipWaiting())
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith(MINE) && name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim())
  );
});

function kept(path) {
  return caches.open(CACHE).then((cache) => cache.match(path, { ignoreSearch: true, ignoreVary: true }));
}

// The network first, so that a new shell or language arrives; without an answer in four seconds the kept one.
function freshShell(request) {
  return new Promise((resolve) => {
    const late = setTimeout(() => kept(SHELL).then((old) => old && resolve(old)), PATIENCE);
    fetch(request).then((answer) => {
      clearTimeout(late);
      if (answer.ok && !answer.redirected) {
        const copy = answer.clone();
        caches.open(CACHE).then((cache) => cache.put(SHELL, copy));
      }
      resolve(answer.ok ? answer : kept(SHELL).then((old) => old || answer));
    }, () => {
      clearTimeout(late);
      resolve(kept(SHELL).then((old) => old || Response.error()));
    });
  });
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (event.request.mode === "navigate" && url.pathname === SHELL) event.respondWith(freshShell(event.request));
  else if (PARTS.indexOf(url.pathname) >= 0) event.respondWith(kept(url.pathname).then((old) => old || fetch(event.request)));
});
