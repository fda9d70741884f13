export const STEPS = [
  ["project", "Project"],
  ["key", "Key"],
  ["call", "First call"],
  ["budget", "Budget"],
  ["alerts", "Alerts"],
] as const;

export type Step = (typeof STEPS)[number][0];

/** What the address says, or the first step that is not done: a key's secret outlives no reload. */
export function stepOf(said: string | undefined, hasProject: boolean, hasSecret: boolean): Step {
  const step = STEPS.find(([id]) => id === said)?.[0] ?? (hasProject ? "key" : "project");
  if (!hasProject) return "project";
  return step === "call" && !hasSecret ? "key" : step;
}
