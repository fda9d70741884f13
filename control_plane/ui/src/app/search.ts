/** What an address may say after its `?`; anything else is as if it were not there. */

export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** What is named once or several times. */
export function texts(value: unknown): string[] | undefined {
  const found = [value].flat().filter((one): one is string => typeof one === "string" && one !== "");
  return found.length ? [...new Set(found)] : undefined;
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

/** `?model=a&model=b` is a list of two: addresses read as people would write them. */
export function parseSearch(search: string): Record<string, string | string[]> {
  const parameters = new URLSearchParams(search);
  return Object.fromEntries([...new Set(parameters.keys())].map((name) => {
    const values = parameters.getAll(name);
    return [name, values.length === 1 ? values[0]! : values];
  }));
}

export function stringifySearch(search: Record<string, unknown>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) for (const one of [value].flat()) if (one !== undefined && one !== null) parameters.append(name, String(one));
  const written = parameters.toString();
  return written && `?${written}`;
}
