import { fieldError } from "@/api/problem";
import type { AlertRuleCreate } from "@/api/schema";
import { Field, Input, Select } from "@/design/Field";
import { CHANNELS, type Channel } from "./rules";

/** What is filled in for a target, whichever it is. */
export type TargetDraft = { channel: Channel; token: string; channelId: string; url: string; address: string };
export const EMPTY_TARGET: TargetDraft = { channel: "slack", token: "", channelId: "", url: "", address: "" };

export function toTarget(draft: TargetDraft): AlertRuleCreate["target"] {
  switch (draft.channel) {
    case "slack":
      return { channel: "slack", token: draft.token, channel_id: draft.channelId };
    case "slack_webhook":
      return { channel: "slack_webhook", url: draft.url };
    case "email":
      return { channel: "email", address: draft.address };
    case "webhook":
      return { channel: "webhook", url: draft.url };
  }
}

type Props = { draft: TargetDraft; onChange: (draft: TargetDraft) => void; problem: unknown };

export function TargetFields({ draft, onChange, problem }: Props) {
  const set = (change: Partial<TargetDraft>) => onChange({ ...draft, ...change });
  return (
    <>
      <Field label="Goes to">
        <Select value={draft.channel} onChange={(event) => set({ channel: event.target.value as Channel })}>{Object.entries(CHANNELS).map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select>
      </Field>
      {draft.channel === "slack" && (
        <div className="grid grid-cols-2 gap-3">
          <Field label="Bot token" error={fieldError(problem, "target/token")}><Input value={draft.token} onChange={(event) => set({ token: event.target.value })} required placeholder="xoxb-…" type="password" /></Field>
          <Field label="Channel" error={fieldError(problem, "target/channel_id")}><Input value={draft.channelId} onChange={(event) => set({ channelId: event.target.value })} required placeholder="C0123456789" /></Field>
        </div>
      )}
      {(draft.channel === "slack_webhook" || draft.channel === "webhook") && (
        <Field label="Address" error={fieldError(problem, "target/url")}><Input value={draft.url} onChange={(event) => set({ url: event.target.value })} required type="url" placeholder={draft.channel === "webhook" ? "https://example.com/hooks/lensai" : "https://hooks.slack.com/services/…"} /></Field>
      )}
      {draft.channel === "email" && <Field label="E-mail address" error={fieldError(problem, "target/address")}><Input value={draft.address} onChange={(event) => set({ address: event.target.value })} required type="email" placeholder="finance@example.com" /></Field>}
    </>
  );
}
