import type { ProblemDetails } from "./schema";

/** What the API says when something is not as asked for (RFC 9457). */
export type Problem = ProblemDetails & { status: number };

export function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "status" in error && "title" in error;
}

/** The API's own words for it are for programs. A link that is spent is 401 too, and asks for no credentials. */
const SIGNED_OUT = "You are signed out. Sign in again, in another tab to keep what is written here, then try again.";

/** The problem that an answer holds; one made up where a proxy in between answered for itself. */
export async function asProblem(response: Response): Promise<Problem> {
  const told: unknown = await response.json().catch(() => null);
  if (isProblem(told)) return response.headers.has("www-authenticate") ? { ...told, detail: SIGNED_OUT } : told;
  return { type: "about:blank", title: response.statusText || "Error", status: response.status };
}

/** A sentence for people. */
export function explain(error: unknown): string {
  if (!isProblem(error)) return "The control plane does not answer. Check the connection and try again.";
  if (error.errors?.length) return error.errors.map((field) => `${fieldName(field.pointer)}: ${field.message}`).join("; ");
  return error.detail || error.title;
}

/** What is wrong with one field of the body, if anything is. */
export function fieldError(error: unknown, name: string): string | undefined {
  if (!isProblem(error)) return undefined;
  return error.errors?.find((field) => fieldName(field.pointer) === name)?.message;
}

function fieldName(pointer: string): string {
  return pointer.replace(/^body\/?/, "") || "request";
}
