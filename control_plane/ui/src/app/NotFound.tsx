import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { buttonClass } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";

export function NotFound() {
  return (
    <EmptyState icon={<Compass size={18} />} title="There is no such page" action={<Link to="/" className={buttonClass()}>Back to the start</Link>}>
      The address may be mistyped, or what it showed has been deleted.
    </EmptyState>
  );
}
