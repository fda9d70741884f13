import "@/design/tokens.css";
import { showNotLoaded } from "./notLoaded";

/** The libraries, what is made of them, and the page. */
const PARTS = [() => import("react-dom/client"), () => import("./router"), () => import("./start")];

/** Each part is evaluated in a task of its own: together they would keep a phone from answering for longer than a page may. */
async function start(): Promise<void> {
  try {
    for (const part of PARTS) {
      await part();
      await new Promise((resolve) => setTimeout(resolve));
    }
  } catch (failure) {
    showNotLoaded();
    throw failure;
  }
}

// What the document shows is painted first; where nobody looks no frame comes.
if (document.hidden) void start();
else requestAnimationFrame(() => setTimeout(() => void start()));
