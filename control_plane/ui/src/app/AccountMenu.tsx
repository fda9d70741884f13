import { BookOpen, ChevronsUpDown, Keyboard, LogOut } from "lucide-react";
import { chooseOrganization, signOut, useSession } from "@/auth/session";
import { Menu, MenuChoice, MenuItem, MenuLine } from "@/design/Menu";
import { askForShortcuts } from "./shortcuts";
import { chooseTheme, useTheme } from "./theme";

const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]] as const;

export function AccountMenu() {
  const session = useSession();
  const theme = useTheme();
  const trigger = (
    <button type="button" className="flex h-10 w-full items-center gap-2.5 rounded-md px-2 text-left transition-colors hover:bg-sunken" aria-label={`Account of ${session.name}`}>
      <span aria-hidden className="flex size-6 shrink-0 items-center justify-center rounded-full bg-accent-soft text-xs font-semibold uppercase text-accent-ink">{session.name[0]}</span>
      <span className="min-w-0 flex-1 leading-tight">
        <span className="block truncate font-medium">{session.name}</span>
        <span className="block text-xs capitalize text-ink-3">{session.organization.role}</span>
      </span>
      <ChevronsUpDown size={14} className="text-ink-3" aria-hidden />
    </button>
  );
  return (
    <Menu trigger={trigger} align="start">
      {session.organizations.length > 1 && (
        <>
          <MenuChoice label="Organization" value={session.organization.id} options={session.organizations.map((one) => [one.id, one.name] as const)} onChange={(id) => void chooseOrganization(id)} />
          <MenuLine />
        </>
      )}
      <MenuChoice label="Theme" value={theme} options={THEMES} onChange={chooseTheme} />
      <MenuLine />
      <MenuItem icon={<BookOpen size={15} />} onSelect={() => window.open("/docs", "_blank", "noopener")}>API reference</MenuItem>
      <MenuItem icon={<Keyboard size={15} />} onSelect={askForShortcuts}>Keyboard shortcuts</MenuItem>
      <MenuLine />
      <MenuItem icon={<LogOut size={15} />} onSelect={() => void signOut()}>Sign out</MenuItem>
    </Menu>
  );
}
