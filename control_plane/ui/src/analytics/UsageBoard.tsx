import { Link } from "@tanstack/react-router";
import { buttonClass } from "@/design/Button";
import { Breakdown } from "./Breakdown";
import { ErrorsCard } from "./ErrorsCard";
import { LatencyChart } from "./LatencyChart";
import { PeriodBar } from "./PeriodBar";
import { asked, DIMENSIONS, type Dimension, type Question } from "./question";
import { SpendChart } from "./SpendChart";
import { SummaryStats } from "./SummaryStats";
import { TokensCard } from "./TokensCard";

type Props = { question: Question; onChange: (question: Question) => void; project?: string };

/** Costs, usage, speed and failures of a period: of one project, or of all. */
export function UsageBoard({ question, onChange, project }: Props) {
  const whole = { ...question, project: project ?? question.project };
  const query = asked(whole);
  const filter = (dimension: Dimension, value: string) => onChange({ ...question, [DIMENSIONS[dimension]]: value });
  return (
    <div className="flex flex-col gap-4">
      <div className="-mb-4 flex flex-wrap items-start justify-between gap-x-4">
        <PeriodBar question={question} onChange={onChange} />
        <Link to="/requests" search={whole} className={buttonClass("plain")}>See these calls</Link>
      </div>
      <SummaryStats query={query} />
      <SpendChart query={query} onPick={(from, to) => onChange({ ...question, range: undefined, from, to })} />
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Breakdown query={query} onFilter={filter} without={project ? "project" : undefined} />
        <LatencyChart query={query} />
        <TokensCard query={query} />
        <ErrorsCard query={query} onFilter={(outcome) => onChange({ ...question, outcome })} />
      </div>
    </div>
  );
}
