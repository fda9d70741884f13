import { Link, useNavigate } from "@tanstack/react-router";
import { buttonClass } from "@/design/Button";
import { Gradually } from "@/design/Gradually";
import { Breakdown } from "./Breakdown";
import { ErrorsCard } from "./ErrorsCard";
import { LatencyChart } from "./LatencyChart";
import { PeriodBar } from "./PeriodBar";
import { asked, DIMENSIONS, narrowing, toggled, type Dimension, type Question } from "./question";
import { SpendChart } from "./SpendChart";
import { SummaryStats } from "./SummaryStats";
import { TokensCard } from "./TokensCard";

type Props = { question: Question; onChange: (question: Question) => void; project?: string };

/** Costs, usage, speed and failures of a period: of one project, or of all. */
export function UsageBoard({ question, onChange, project }: Props) {
  const whole = { ...question, project: project ?? question.project };
  const query = asked(whole);
  const { measure, by, compare, split, speed } = question;
  const narrow = narrowing(whole);
  const filter = (dimension: Dimension, value: string) => onChange(dimension === "project" ? { ...question, project: value } : toggled(question, DIMENSIONS[dimension], value));
  const navigate = useNavigate();
  const open = (from: string, to: string) => void navigate({ to: "/requests", search: { ...narrow, from, to, range: undefined } });
  return (
    <div className="flex flex-col gap-4">
      <Gradually>
        <div className="-mb-4"><PeriodBar question={question} onChange={onChange} after={<Link to="/requests" search={narrow} className={buttonClass("plain")}>See these calls</Link>} /></div>
        <SummaryStats query={query} />
        <SpendChart query={query} view={{ measure, by, compare }} onView={(view) => onChange({ ...question, ...view })} onOpen={open} onPick={(from, to) => onChange({ ...question, range: undefined, from, to })} />
        <div className="grid items-start gap-4 lg:grid-cols-2">
          <Gradually>
            <div className="flex min-w-0 flex-col gap-4">
              <Gradually>
                <Breakdown query={query} by={split} onBy={(next) => onChange({ ...question, split: next })} onFilter={filter} without={project ? "project" : undefined} />
                <TokensCard query={query} />
              </Gradually>
            </div>
            <div className="flex min-w-0 flex-col gap-4">
              <Gradually>
                <LatencyChart query={query} speed={speed} onSpeed={(next) => onChange({ ...question, speed: next })} onOpen={open} />
                <ErrorsCard query={query} onFilter={(outcome) => onChange(toggled(question, "outcome", outcome))} />
              </Gradually>
            </div>
          </Gradually>
        </div>
      </Gradually>
    </div>
  );
}
