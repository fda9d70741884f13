import { fieldError } from "@/api/problem";
import { Field, Input, Select } from "@/design/Field";
import { moment } from "@/design/format";
import { useUpstreams } from "@/providers/providers";
import { useMay } from "@/auth/session";
import { KEEP, type KeyDraft, type Mode } from "./draft";

const MODES = [
  ["metered", "Metered", "Streams that do not report their use are asked to."],
  ["transparent", "Transparent", "Not a byte of a request is changed."],
  ["guaranteed", "Guaranteed", "What cannot be metered or bounded is refused."],
] as const;
const LIVES = [["", "Never"], ["30", "In 30 days"], ["90", "In 90 days"], ["365", "In a year"]] as const;

type Props = { draft: KeyDraft; onChange: (draft: KeyDraft) => void; problem: unknown; expiresAtS?: number | null; open?: boolean };

/** What a key is called, and what it may be used for. */
export function KeyFields({ draft, onChange, problem, expiresAtS, open }: Props) {
  const set = (change: Partial<KeyDraft>) => onChange({ ...draft, ...change });
  const text = (name: "name" | "team" | "userId" | "tags" | "models" | "upstreams" | "endpoints") => ({ value: draft[name], onChange: (event: { target: { value: string } }) => set({ [name]: event.target.value }) });
  return (
    <>
      <Field label="Name" error={fieldError(problem, "name")}><Input {...text("name")} required maxLength={100} autoFocus placeholder="web backend" /></Field>
      <Field label="Mode" hint={MODES.find(([id]) => id === draft.mode)?.[2]}>
        <Select value={draft.mode} onChange={(event) => set({ mode: event.target.value as Mode })}>{MODES.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select>
      </Field>
      <div className="grid grid-cols-2 gap-3">
        <Field label="Expires" error={fieldError(problem, "expires_at_s")}>
          <Select value={draft.expires} onChange={(event) => set({ expires: event.target.value })}>
            {expiresAtS != null && <option value={KEEP}>{moment(expiresAtS * 1000)}</option>}
            {LIVES.map(([id, word]) => <option key={id} value={id}>{word}</option>)}
          </Select>
        </Field>
        <Field label="Team" optional error={fieldError(problem, "team")}><Input {...text("team")} placeholder="payments" /></Field>
      </div>
      <details className="group" open={open}>
        <summary className="w-fit font-medium text-ink-2 hover:text-ink">What it may be used for</summary>
        <div className="mt-3 flex flex-col gap-4">
          <Field label="Models" optional hint="With commas between; empty is every model." error={fieldError(problem, "models")}><Input {...text("models")} placeholder="gpt-4o-mini, gpt-4o" /></Field>
          <Field label="Upstreams" optional hint={<UpstreamHint />} error={fieldError(problem, "upstreams")}><Input {...text("upstreams")} placeholder="openai, anthropic" /></Field>
          <Field label="Endpoints" optional hint="With commas between; empty is every endpoint." error={fieldError(problem, "endpoints")}><Input {...text("endpoints")} placeholder="chat.completions, embeddings" /></Field>
          <div className="grid grid-cols-2 gap-3">
            <Field label="Tags" optional hint="On every call." error={fieldError(problem, "tags")}><Input {...text("tags")} placeholder="batch, nightly" /></Field>
            <Field label="User" optional hint="Of calls that name none." error={fieldError(problem, "user_id")}><Input {...text("userId")} placeholder="service-account" /></Field>
          </div>
          <Field label="When a caller leaves" hint="Midway through an answer.">
            <Select value={draft.onDisconnect} onChange={(event) => set({ onDisconnect: event.target.value as KeyDraft["onDisconnect"] })}>
              <option value="drain">The answer is read to its end, and priced exactly</option>
              <option value="cancel">The call is cancelled</option>
            </Select>
          </Field>
        </div>
      </details>
    </>
  );
}

function UpstreamHint() {
  const known = useMay("providers:read");
  return known ? <KnownUpstreams /> : <>With commas between; empty is every upstream.</>;
}

function KnownUpstreams() {
  const names = useUpstreams().rows?.map((one) => one.name) ?? [];
  return <>With commas between; empty is every upstream.{names.length > 0 && ` Yours: ${names.join(", ")}.`}</>;
}
