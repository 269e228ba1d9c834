import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';

export interface Series {
  label: string;
  values: readonly (number | undefined)[];
  /** How it is drawn: `bar`, `line`, `limit`, or `agent-N` in that agent's colour. */
  tone: string;
}

const HEIGHT = 132;

/** A chart over the turns; what draws it is loaded when there is one. Its table says the same in words. */
export function Chart({
  x,
  series,
  format,
  most,
}: {
  x: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
  most?: number;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = [x, ...series.map(({ values }) => values.map((value) => value ?? null))] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const shape = series.map(({ label }) => label).join('\n');

  useEffect(() => {
    let isWanted = true;
    let redraw: (() => void) | undefined;
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    const draw = async (): Promise<void> => {
      const { default: Plot } = await import('uplot');
      const element = place.current;
      if (!isWanted || !element) return;
      redraw = () => {
        plot.current?.destroy();
        plot.current = new Plot(options(Plot, element, series, format, most), latest.current, element);
      };
      redraw();
      scheme.addEventListener('change', redraw);
    };
    draw().catch(() => {});
    const resizing = new ResizeObserver(([entry]) => {
      if (entry) plot.current?.setSize({ width: entry.contentRect.width, height: HEIGHT });
    });
    if (place.current) resizing.observe(place.current);
    return () => {
      isWanted = false;
      resizing.disconnect();
      if (redraw) scheme.removeEventListener('change', redraw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape]);
  useEffect(
    () => plot.current?.setData(latest.current),
    [x.length, series.map(({ values }) => values.length).join()],
  );

  return (
    <>
      {/* Made before the first turn, so that its end doesn't wait for it. */}
      <div ref={place} class={x.length === 0 ? 'chart empty' : 'chart'} aria-hidden="true" />
      <p class="legend" aria-hidden="true">
        {series.map(({ label, tone }) => (
          <span key={label} class={`key of-${tone}`}>
            {label}
          </span>
        ))}
      </p>
    </>
  );
}

function options(
  Plot: typeof uPlot,
  element: HTMLElement,
  series: readonly Series[],
  format: (value: number) => string,
  most: number | undefined,
): uPlot.Options {
  const colour = colourOf(element);
  const axis = {
    stroke: colour('--muted'),
    font: `11px ${getComputedStyle(element).fontFamily}`,
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const barPath = Plot.paths.bars?.({ size: [0.7, 24], radius: 0.25 });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 4, 0, 0],
    scales: {
      // Half a turn more at each side, so that no bar is cut.
      x: { time: false, range: (_plot, low, high) => [low - 0.6, high + 0.6] },
      y: { range: (_plot, _low, high) => [0, most ?? Math.max(high, 1e-9) * 1.08] },
    },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        space: 40,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
        // Half a turn more at each side is none.
        values: ({ data: [turns] }, marks) => marks.map((mark) => (turns.includes(mark) ? `${mark}` : '')),
      },
      { ...axis, size: 52, space: 28, values: (_plot, values) => values.map(format) },
    ],
    series: [
      {},
      ...series.map(({ label, tone }): uPlot.Series => {
        const base = { label, points: { show: false }, width: 2, stroke: colour(toneVariable(tone)) };
        if (tone === 'bar' && barPath) return { ...base, width: 0, fill: colour('--bar'), paths: barPath };
        if (tone === 'limit') return { ...base, width: 1.5, dash: [4, 4] };
        return { ...base, points: { size: 4 } };
      }),
    ],
  };
}

function toneVariable(tone: string): string {
  if (tone === 'limit') return '--danger';
  return tone.startsWith('agent-') ? `--tone-${tone.slice('agent-'.length)}` : '--accent';
}

/** A canvas takes no `light-dark()`: the colour that it comes to is asked of an element. */
function colourOf(element: HTMLElement): (variable: string) => string {
  return (variable) => {
    const before = element.style.color;
    element.style.color = `var(${variable})`;
    const { color } = getComputedStyle(element);
    element.style.color = before;
    return color;
  };
}
