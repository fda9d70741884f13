import { Link } from "@tanstack/react-router";
import { OctagonX } from "lucide-react";
import { useMay } from "@/auth/session";
import { useActiveSwitches } from "./switches";

/** On every page for as long as calls are being refused. */
export function KillSwitchBanner() {
  const active = useActiveSwitches(useMay("kill_switch:read"));
  if (!active?.length) return null;
  return (
    <div role="status" className="flex items-center gap-2.5 bg-danger px-4 py-2 text-white sm:px-6 lg:px-8">
      <OctagonX size={16} className="shrink-0" aria-hidden />
      <span className="min-w-0 flex-1 truncate">
        {active.length === 1 ? "A kill switch is on" : `${active.length} kill switches are on`}: {active[0]!.reason}
      </span>
      <Link to="/kill-switch" className="shrink-0 font-medium underline underline-offset-2">Look at it</Link>
    </div>
  );
}
