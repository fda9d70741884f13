import { QueryCache, QueryClient } from "@tanstack/react-query";
import createFetch, { type Middleware } from "openapi-fetch";
import createHooks from "openapi-react-query";
import { asProblem, isProblem } from "./problem";
import type { paths, SessionOut } from "./schema";

export const SESSION_KEY = ["get", "/v1/session", {}] as const;
const SAFE = new Set(["GET", "HEAD"]);

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) => failures < 2 && !(isProblem(error) && error.status < 500 && error.status !== 429),
    },
  },
  queryCache: new QueryCache({
    onError: (error) => {
      if (isProblem(error) && error.status === 401) signedOut();
    },
  }),
});

/** Another page may have signed out meanwhile; the router sees that nobody is signed in. */
function signedOut(): void {
  if (location.pathname !== "/sign-in") location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

// What a thing was when it was read, by its address: an edit says so, and is refused (412) if it is no longer that.
const etags = new Map<string, string>();

const provesItself: Middleware = {
  onRequest({ request }) {
    if (SAFE.has(request.method)) return;
    const token = queryClient.getQueryData<SessionOut>(SESSION_KEY)?.csrf_token;
    if (token) request.headers.set("x-csrf-token", token);
    const etag = etags.get(request.url);
    if (etag && request.method !== "POST") request.headers.set("if-match", etag);
  },
  async onResponse({ request, response }) {
    const etag = response.headers.get("etag");
    if (etag && (request.method === "GET" || request.method === "PATCH")) etags.set(request.url, etag);
    // Whoever signs in again, in another tab, has another token: it is asked for when they come back to this one.
    if (response.status === 401) void queryClient.invalidateQueries({ queryKey: SESSION_KEY, refetchType: "none" });
    if (!response.ok) throw await asProblem(response);
  },
};

export const api = createFetch<paths>({ baseUrl: location.origin });
api.use(provesItself);

/** Typed queries and mutations: `$api.useQuery("get", "/v1/projects", …)`. */
export const $api = createHooks(api);

/** After a change: everything under these addresses is read again. */
export function refresh(...prefixes: string[]): Promise<unknown> {
  return queryClient.invalidateQueries({
    predicate: ({ queryKey }) => prefixes.some((prefix) => String(queryKey[1]).startsWith(prefix)),
  });
}
