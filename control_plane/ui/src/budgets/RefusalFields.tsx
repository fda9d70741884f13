import { fieldError } from "@/api/problem";
import { Check, Field, Input } from "@/design/Field";
import { countsEach, type Unit } from "./limits";

/** What a quota does with calls that no amount decides: kept as typed. */
export type RefusalDraft = { ceiling: string; valuesMax: string; answers429: boolean };

/** What the API is told; a field that is not shown says nothing. */
export function refusalBody(draft: RefusalDraft, unit: Unit, blocks: boolean, scope: Record<string, string>) {
  return {
    ...(unit === "usd" && { ceiling_usd: draft.ceiling.trim() || null, answers_429: blocks && draft.answers429 }),
    ...(countsEach(scope) && { values_max: Number(draft.valuesMax) }),
  };
}

export function valuesFault(draft: RefusalDraft, scope: Record<string, string>): string | undefined {
  return countsEach(scope) && !/^[1-9]\d*$/.test(draft.valuesMax) ? "A whole number, at least 1." : undefined;
}

type Props = { draft: RefusalDraft; onChange: (draft: RefusalDraft) => void; unit: Unit; blocks: boolean; scope: Record<string, string>; problem: unknown };

/** Calls whose cost has no bound, values beyond counting, and the status of a refusal: as far as the quota is about them. */
export function RefusalFields({ draft, onChange, unit, blocks, scope, problem }: Props) {
  const edit = (change: Partial<RefusalDraft>) => onChange({ ...draft, ...change });
  return (
    <>
      {unit === "usd" && (
        <Field label="Ceiling of one call" optional hint="Held for a call whose cost has no bound; without it such calls are refused." error={fieldError(problem, "ceiling_usd")}>
          <Input prefix="$" inputMode="decimal" value={draft.ceiling} onChange={(event) => edit({ ceiling: event.target.value })} />
        </Field>
      )}
      {unit === "usd" && blocks && (
        <Check label="Refuse with 429 instead of 402" hint="For clients that know nothing else." checked={draft.answers429} onChange={(answers429) => edit({ answers429 })} />
      )}
      {countsEach(scope) && (
        <Field label="Values counted apart" hint="In one window; calls with further values are refused." error={valuesFault(draft, scope) ?? fieldError(problem, "values_max")}>
          <Input inputMode="numeric" value={draft.valuesMax} onChange={(event) => edit({ valuesMax: event.target.value.trim() })} />
        </Field>
      )}
    </>
  );
}
