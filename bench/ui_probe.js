// Notes when things were painted; Date.now() is the server's clock too, as both are on one machine.
(() => {
  const probe = (window.probe = { frames: [], long: [], drawn: 0, ticks: [] });
  // What is drawn in the next frame of the screen, or in the one after it, is to be seen then.
  const painted = (note) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(note)));
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) probe.long.push([startTime, duration]);
  }).observe({ type: "longtask", buffered: true });
  const Real = WebSocket;
  window.WebSocket = class extends Real {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        const head = data.slice(0, 200);
        const [op, sent] = [/"op":"(\w+)"/.exec(head)[1], Number(/"t":(\d+)/.exec(head)[1])];
        const text = op === "alarm" || op === "state" ? data : "";
        painted(() => probe.frames.push({ op, sent, painted: Date.now(), text }));
      });
    }
  };
  const look = () => {
    const tile = document.querySelector(".tiles .value")?.textContent ?? "";
    if (/\d/.test(tile) && document.querySelector("canvas")?.width > 0) painted(() => (probe.drawn = performance.now()));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  let before = 0;
  const tick = (now) => {
    if (before) probe.ticks.push(now - before);
    before = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
})();
