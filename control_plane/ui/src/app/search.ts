/** What an address may say after its `?`; anything else is as if it were not there. */

export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : undefined;
}

export function flag(value: unknown): true | undefined {
  return value === true || value === "true" ? true : undefined;
}

export function oneOf<T extends string>(value: unknown, options: readonly T[]): T | undefined {
  return options.find((option) => option === value);
}

/** Nothing of an address has to be said: links name what they mean and leave out the rest. */
export function optional<T extends object>(read: (search: Record<string, unknown>) => T): (search: Record<string, unknown>) => Partial<T> {
  return read;
}
