import { memo, useId, useState } from "react";
import { Input } from "@/design/Field";
import { zones } from "./calendar";

type Props = { value: string; onChange: (zone: string) => void };

/** The name of a time zone, with those that there are once somebody is about to write one. */
export function ZoneInput({ value, onChange }: Props) {
  const id = useId();
  const [isChosen, setIsChosen] = useState(false);
  return (
    <>
      <Input value={value} onChange={(event) => onChange(event.target.value.trim())} onFocus={() => setIsChosen(true)} list={id} spellCheck={false} placeholder="Europe/Berlin" />
      {isChosen && <Offered id={id} />}
    </>
  );
}

/** Some hundred. */
const Offered = memo(function Offered({ id }: { id: string }) {
  return <datalist id={id}>{zones().map((one) => <option key={one} value={one} />)}</datalist>;
});
