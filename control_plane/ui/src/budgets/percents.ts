/** Percents with commas between; what is no number is left for the API to refuse. */
export function percents(text: string): number[] {
  return text.split(",").map((part) => part.trim()).filter(Boolean).map(Number);
}
