import { BookOpen, Keyboard, LogOut } from "lucide-react";
import { chooseOrganization, signOut, useSession } from "@/auth/session";
import { Menu, MenuChoice, MenuItem, MenuLine } from "@/design/Menu";
import { AccountButton } from "./AccountButton";
import { askForShortcuts } from "./shortcuts";
import { chooseTheme, useTheme } from "./theme";

const THEMES = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]] as const;

export function AccountMenu() {
  const session = useSession();
  const theme = useTheme();
  return (
    <Menu trigger={<AccountButton />} align="start">
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
