import "@/design/tokens.css";

/** What the document shows is painted first: to evaluate the app takes a phone longer than a frame. */
function start(): void {
  void import("./start");
}

// Where nobody looks no frame comes.
if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));
