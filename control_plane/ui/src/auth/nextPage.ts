/** Where to go after signing in. Only ever a page of ours: another site's address would be a trap. */
export function nextPage(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
}
