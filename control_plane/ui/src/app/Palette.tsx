import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { Command } from "cmdk";
import { FolderKanban, KeyRound, Plus, Rocket, Search, SunMoon } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import type { ReactNode } from "react";
import { api } from "@/api/client";
import { useSession } from "@/auth/session";
import { placesFor } from "./navigation";
import { chooseTheme, useShownTheme } from "./theme";

const FOUND_MAX = 200;

function useProjects() {
  const query = useQuery({
    queryKey: ["get", "/v1/projects", "palette"],
    queryFn: async () => (await api.GET("/v1/projects", { params: { query: { limit: FOUND_MAX } } })).data!.items,
  });
  return query.data ?? [];
}

export function Palette({ onClose }: { onClose: () => void }) {
  const session = useSession();
  const { history } = useRouter();
  const theme = useShownTheme();
  const projects = useProjects();
  const may = (permission: (typeof session.permissions)[number]) => session.permissions.includes(permission);
  const go = (to: string) => () => {
    onClose();
    history.push(to);
  };
  return (
    <Primitive.Root open onOpenChange={(open) => !open && onClose()}>
      <Primitive.Portal>
        <div aria-hidden className="fixed inset-0 z-40 bg-black/35 backdrop-blur-[2px] dark:bg-black/60" />
        <Primitive.Content aria-describedby={undefined} className="fixed inset-x-3 top-[12vh] z-50 mx-auto max-w-xl overflow-hidden rounded-lg border border-line bg-raised shadow-float animate-appear focus:outline-none">
          <Primitive.Title className="sr-only">Search or jump to</Primitive.Title>
          <Command label="Search or jump to" loop>
            <div className="flex items-center gap-2.5 border-b border-line px-4">
              <Search size={16} className="text-ink-3" aria-hidden />
              <Command.Input placeholder="Search or jump to …" className="h-12 flex-1 bg-transparent text-base outline-none" />
            </div>
            <Command.List className="max-h-[50vh] scroll-py-2 overflow-y-auto p-1.5" tabIndex={-1}>
              <Command.Empty className="px-3 py-8 text-center text-ink-3">Nothing here is called that.</Command.Empty>
              <Section name="Go to">
                {placesFor(session.permissions).flatMap((group) => group.places).map((place) => (
                  <Item key={place.to} icon={<place.icon size={16} />} words={place.words} keys={`g ${place.go}`} onSelect={go(place.to)}>{place.name}</Item>
                ))}
              </Section>
              <Section name="Do">
                {may("keys:write") && <Item icon={<Plus size={16} />} onSelect={go("/keys?new=true")}>Create a key</Item>}
                {may("projects:write") && <Item icon={<Plus size={16} />} onSelect={go("/projects?new=true")}>Create a project</Item>}
                {may("budgets:write") && <Item icon={<Plus size={16} />} onSelect={go("/budgets?new=budget")}>Set a budget</Item>}
                {may("keys:write") && <Item icon={<Rocket size={16} />} words="onboarding start snippets" onSelect={go("/onboarding")}>Connect an application</Item>}
                <Item icon={<SunMoon size={16} />} words="theme dark light" onSelect={() => chooseTheme(theme === "dark" ? "light" : "dark")}>
                  {theme === "dark" ? "Light theme" : "Dark theme"}
                </Item>
              </Section>
              {projects.length > 0 && (
                <Section name="Projects">
                  {projects.map((project) => (
                    <Item key={project.id} icon={<FolderKanban size={16} />} words={project.id} onSelect={go(`/projects/${project.id}`)}>{project.name}</Item>
                  ))}
                </Section>
              )}
              {may("keys:read") && projects.length > 0 && (
                <Section name="Keys of">
                  {projects.map((project) => (
                    <Item key={project.id} icon={<KeyRound size={16} />} words={`keys ${project.id}`} onSelect={go(`/keys?project=${project.id}`)}>{`Keys of ${project.name}`}</Item>
                  ))}
                </Section>
              )}
            </Command.List>
          </Command>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

function Section({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Command.Group heading={name} className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-ink-3">
      {children}
    </Command.Group>
  );
}

type ItemProps = { icon: ReactNode; words?: string; keys?: string; onSelect: () => void; children: string };

function Item({ icon, words, keys, onSelect, children }: ItemProps) {
  return (
    <Command.Item value={`${children} ${words ?? ""}`} onSelect={onSelect} className="flex h-9 cursor-pointer items-center gap-2.5 rounded-md px-2.5 data-[selected=true]:bg-hover">
      <span className="text-ink-3" aria-hidden>{icon}</span>
      <span className="flex-1 truncate">{children}</span>
      {keys && <kbd className="font-sans text-xs text-ink-3">{keys}</kbd>}
    </Command.Item>
  );
}
