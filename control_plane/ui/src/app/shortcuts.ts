import { useEffect, useRef } from "react";

const PAUSE_MS = 1000;
const ASKED = "lensai:shortcuts";

/** Opens the list of shortcuts from wherever. */
export function askForShortcuts(): void {
  window.dispatchEvent(new Event(ASKED));
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

type Handlers = { onPalette: () => void; onShortcuts: () => void; onGo: (letter: string) => void };

/** ⌘K or / searches, ? lists, and g with another letter goes somewhere. */
export function useShortcuts({ onPalette, onShortcuts, onGo }: Handlers): void {
  const handlers = useRef({ onPalette, onShortcuts, onGo });
  handlers.current = { onPalette, onShortcuts, onGo };
  useEffect(() => {
    let goneAtMs = 0;
    function press(event: KeyboardEvent) {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        return handlers.current.onPalette();
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target) || document.querySelector('[role="dialog"]')) return;
      if (event.key === "?") return handlers.current.onShortcuts();
      if (event.key === "/") {
        event.preventDefault();
        return handlers.current.onPalette();
      }
      if (event.key === "g") goneAtMs = event.timeStamp;
      else if (event.timeStamp - goneAtMs < PAUSE_MS) {
        goneAtMs = 0;
        handlers.current.onGo(event.key);
      }
    }
    const asked = () => handlers.current.onShortcuts();
    window.addEventListener("keydown", press);
    window.addEventListener(ASKED, asked);
    return () => {
      window.removeEventListener("keydown", press);
      window.removeEventListener(ASKED, asked);
    };
  }, []);
}
