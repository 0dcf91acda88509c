// The till goes on when the network is cut: a meal waits on this machine under its own token and is sent again until the
// office has it. Nothing but meal code, meal, price and time is kept here, and it goes once it was taken in.
(() => {
  const byId = (id) => document.getElementById(id);
  if (!byId("till")) return;
  const field = (name) => byId("till").elements[name];
  const place = () => `doudi-till-${field("site").value}`;
  const read = () => {
    try { return JSON.parse(localStorage.getItem(place()) || "[]"); } catch { return []; }
  };
  const write = (rows) => localStorage.setItem(place(), JSON.stringify(rows));
  const freshToken = () => {
    const part = crypto.getRandomValues(new Uint8Array(16));
    part[6] = (part[6] & 15) | 64;
    part[8] = (part[8] & 63) | 128;
    const hex = [...part].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };

  function show() {
    const note = byId("till-queue");
    const rows = read();
    const waiting = rows.filter((row) => !row.refused).length;
    note.hidden = waiting === 0;
    note.textContent = note.dataset.one.replace("{n}", waiting);
    byId("till-refused").replaceChildren(...rows.filter((row) => row.refused).map((row) => {
      const line = document.createElement("li");
      line.className = "late";
      line.textContent = `${note.dataset.refused} ${row.key} ${new Date(row.at).toLocaleTimeString()} ${row.refused} `;
      const seen = document.createElement("button");
      seen.type = "button";
      seen.className = "plain";
      seen.textContent = note.dataset.seen;
      seen.addEventListener("click", () => { write(read().filter((other) => other.token !== row.token)); show(); });
      line.append(seen);
      return line;
    }));
  }

  let sending = false;
  async function flush() {
    const rows = read().filter((row) => !row.refused).slice(0, 100);
    if (sending || rows.length === 0) return show();
    sending = true;
    try {
      const answer = await fetch(byId("till").dataset.queue, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json", "X-CSRFToken": field("csrfmiddlewaretoken").value },
        body: JSON.stringify({ site: field("site").value, meals: rows }),
      });
      // signed out meanwhile: the rows stay until somebody signs in again
      if (answer.ok && !answer.redirected) {
        const said = new Map((await answer.json()).results.map((one) => [one.token, one]));
        write(read().flatMap((row) => {
          const result = said.get(row.token);
          if (!result || result.state === "later") return [row];
          return result.state === "taken" ? [] : [{ ...row, refused: result.message }];
        }));
      }
    } catch { /* still cut: the rows stay */ }
    sending = false;
    show();
  }

  function keep() {
    const row = { token: field("token").value, key: field("key").value.trim(), meal: field("meal").value, at: new Date().toISOString() };
    if (field("price").value.trim()) row.price = field("price").value.trim();
    write([...read(), row]);
    field("token").value = freshToken();
    field("key").value = "";
    field("key").focus();
    show();
  }

  async function serve(event) {
    if (event.target !== byId("till") || (event.submitter && event.submitter.value === "quote")) return;
    event.preventDefault();
    if (navigator.onLine === false) return keep();
    const body = new FormData(byId("till"));
    body.set("do", "serve");
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 8000);
    try {
      const answer = await fetch(location.pathname, { method: "POST", body, credentials: "same-origin", signal: stop.signal });
      if (answer.status >= 500) throw new Error("the office is not there");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!page.getElementById("till")) { location.reload(); return; }
      byId("main").replaceChildren(...document.adoptNode(page.getElementById("main")).childNodes);
      field("key").focus();
      flush();
    } catch { keep(); } finally { clearTimeout(timer); }
  }

  document.addEventListener("submit", serve);
  window.addEventListener("online", flush);
  setInterval(flush, 20000);
  flush();
})();
