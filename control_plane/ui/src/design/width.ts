import { useSyncExternalStore } from "react";

/** From which width of the window on more is shown: those of the styles. */
const FROM = { sm: "(min-width: 40rem)", md: "(min-width: 48rem)", lg: "(min-width: 64rem)" } as const;
export type From = keyof typeof FROM;

function watching(from: From) {
  return (told: () => void): (() => void) => {
    const wide = matchMedia(FROM[from]);
    wide.addEventListener("change", told);
    return () => wide.removeEventListener("change", told);
  };
}

const SUBSCRIBE = { sm: watching("sm"), md: watching("md"), lg: watching("lg") };

/** Whether the window is at least so wide. */
export function useWide(from: From): boolean {
  return useSyncExternalStore(SUBSCRIBE[from], () => matchMedia(FROM[from]).matches);
}
