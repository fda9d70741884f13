import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";
const KEY = "lensai.theme";
const listeners = new Set<() => void>();

export function storedTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

/** Takes effect at once; `system` follows the system from now on. */
export function chooseTheme(theme: Theme): void {
  if (theme === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, theme);
    document.documentElement.dataset.theme = theme;
  }
  for (const told of listeners) told();
}

function subscribe(told: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  listeners.add(told);
  system.addEventListener("change", told);
  return () => {
    listeners.delete(told);
    system.removeEventListener("change", told);
  };
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, storedTheme);
}

function shownTheme(): "light" | "dark" {
  const theme = storedTheme();
  if (theme !== "system") return theme;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** What is on the screen, for what is drawn on a canvas and must be drawn again. */
export function useShownTheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, shownTheme);
}
