import { fieldError } from "@/api/problem";
import { Field, Input } from "@/design/Field";
import { moment, relative } from "@/design/format";
import { hasCalendar, windowEnd, zoneFault } from "./calendar";
import type { Unit, Window } from "./limits";
import { percentsFault } from "./thresholds";
import { ZoneInput } from "./ZoneInput";

type Props = { unit: Unit; window: Window; thresholds: string; onThresholds: (text: string) => void; zone: string; onZone: (zone: string) => void; problem: unknown };

/** Where a limit tells, and whose days and months it is of. */
export function WindowFields({ unit, window, thresholds, onThresholds, zone, onZone, problem }: Props) {
  const ends = hasCalendar(unit, window) && !zoneFault(zone) ? windowEnd(window, zone, Date.now()) : undefined;
  return (
    <>
      <Field label="Tell at per cent" optional hint={thresholds.trim() ? "Once in a window each; alert rules send it on." : "Empty tells nothing."} error={percentsFault(thresholds) ?? fieldError(problem, "thresholds")}>
        <Input value={thresholds} onChange={(event) => onThresholds(event.target.value)} placeholder="50, 80, 90, 100" inputMode="numeric" />
      </Field>
      {hasCalendar(unit, window) && (
        <Field label="Time zone" hint={ends === undefined ? undefined : `This ${window} there ends ${relative(ends, Date.now())}, ${moment(ends, zone)}.`} error={zoneFault(zone) ?? fieldError(problem, "time_zone")}>
          <ZoneInput value={zone} onChange={onZone} />
        </Field>
      )}
    </>
  );
}
