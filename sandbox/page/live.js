// What changes, as it changes. The browser reconnects by itself; a page nobody sees lets go of its connection.

export function live({ updated, connected, lost }) {
  let source = null;
  let before = false;
  let broken = false;

  function open() {
    source = new EventSource("/sandbox/stream");
    source.addEventListener("open", () => {
      connected({ again: before, broken });
      before = true;
      broken = false;
    });
    source.addEventListener("message", (event) => updated(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      broken = true;
      lost();
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 2000);
    });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (source === null) open();
  });
  if (!document.hidden) open();
}
