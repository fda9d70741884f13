import { useSyncExternalStore } from "react";

/** From here on the navigation stands beside the page: `lg` of the styles. */
const WIDE = "(min-width: 64rem)";

function subscribe(told: () => void): () => void {
  const wide = matchMedia(WIDE);
  wide.addEventListener("change", told);
  return () => wide.removeEventListener("change", told);
}

export function useWide(): boolean {
  return useSyncExternalStore(subscribe, () => matchMedia(WIDE).matches);
}
