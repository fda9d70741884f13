const CARD = "flex flex-col items-center rounded-lg border border-line bg-surface px-6 py-14 text-center";
const BUTTON = "mt-5 h-8 rounded-md border border-line-strong bg-surface px-3 text-sm font-medium shadow-raised hover:bg-sunken";

/** Says, where the page would stand, that its code did not come. Looks as ProblemState does, which is of that code. */
export function showNotLoaded(): void {
  const card = made("div", CARD, "");
  card.setAttribute("role", "alert");
  const reload = made("button", BUTTON, "Reload");
  reload.addEventListener("click", () => location.reload());
  card.append(
    made("h2", "text-base", "This page could not be loaded"),
    made("p", "mt-1 max-w-sm text-pretty text-ink-2", "A part of it did not arrive. Check your connection, then reload."),
    reload,
  );
  (document.querySelector("main") ?? document.getElementById("root")!).replaceChildren(card);
}

function made(tag: string, className: string, text: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
