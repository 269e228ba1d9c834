/** What the main thread of a page did, by parts, from a trace of Chromium: https://chromedevtools.github.io/devtools-protocol/tot/Tracing/ */
export const TRACED = ['toplevel', 'devtools.timeline', '__metadata'];

export type Part = 'script' | 'style' | 'layout' | 'paint' | 'other';

const PARTS: Record<string, Part> = {
  FunctionCall: 'script',
  EvaluateScript: 'script',
  FireAnimationFrame: 'script',
  TimerFire: 'script',
  EventDispatch: 'script',
  RunMicrotasks: 'script',
  MinorGC: 'script',
  MajorGC: 'script',
  UpdateLayoutTree: 'style',
  Layout: 'layout',
  PrePaint: 'paint',
  Paint: 'paint',
  Layerize: 'paint',
  Commit: 'paint',
};

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  /** Times in microseconds; `tdur` is the processor's. */
  ts?: number;
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/** The processor's time in milliseconds of the busiest main thread of a renderer. */
export function mainThreadOf(trace: Buffer): Record<Part, number> {
  const { traceEvents }: { traceEvents: TraceEvent[] } = JSON.parse(trace.toString());
  const mains = traceEvents.filter(
    ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
  );
  const all = mains.map(({ pid, tid }) =>
    partsOf(traceEvents.filter((event) => event.ph === 'X' && event.pid === pid && event.tid === tid)),
  );
  const sumOf = (parts: Record<Part, number>): number =>
    Object.values(parts).reduce((sum, part) => sum + part, 0);
  return all.reduce((most, parts) => (sumOf(parts) > sumOf(most) ? parts : most));
}

/** Each event without what ran within it. */
function partsOf(events: readonly TraceEvent[]): Record<Part, number> {
  const parts: Record<Part, number> = { script: 0, style: 0, layout: 0, paint: 0, other: 0 };
  const around: { part: Part; until: number }[] = [];
  const ordered = events.toSorted(
    (left, right) => (left.ts ?? 0) - (right.ts ?? 0) || (right.dur ?? 0) - (left.dur ?? 0),
  );
  for (const { name, ts = 0, dur = 0, tdur = 0 } of ordered) {
    while ((around.at(-1)?.until ?? Number.POSITIVE_INFINITY) <= ts) around.pop();
    const outer = around.at(-1);
    const part = PARTS[name] ?? outer?.part ?? 'other';
    if (outer) parts[outer.part] -= tdur / 1000;
    parts[part] += tdur / 1000;
    around.push({ part, until: ts + dur });
  }
  return parts;
}
