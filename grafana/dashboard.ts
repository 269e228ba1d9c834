/** A dashboard as it is written by hand; all else follows from this. */
export interface Board {
  /** The file's name, and the end of its address in Grafana. */
  uid: string;
  title: string;
  /** Template variables beside the data source and the instance: name and the series whose label of that name counts. */
  variables?: Record<string, string>;
  /** Panels by the heading of their row. */
  rows: Record<string, readonly Panel[]>;
}

export interface Panel {
  title: string;
  /** What one sees, and what to do when it looks bad. */
  description: string;
  unit: Unit;
  /** PromQL by legend; a legend may name labels, as in `{{provider}}`. */
  queries: Record<string, string>;
  type?: 'timeseries' | 'stat' | 'state-timeline';
  /** From these values on it is drawn in yellow and in red; those of the alert where there is one. */
  warnAt?: number;
  badAt?: number;
  /** Words for values. */
  words?: readonly string[];
  /** Shows points that lead to their traces. */
  exemplars?: true;
  /** Areas on top of each other, for parts of a whole. */
  stacked?: true;
}

/** https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts */
type Unit = 'short' | 's' | 'bytes' | 'percentunit' | 'currencyUSD' | 'reqps' | 'ops' | 'none';

const SCHEMA_VERSION = 41;
const COLUMNS = 24;
const SIZES = {
  stat: { w: 4, h: 4 },
  timeseries: { w: 8, h: 8 },
  'state-timeline': { w: 8, h: 8 },
} as const;
const COLOURS = ['green', 'yellow', 'red'];
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** The model of a dashboard as Grafana reads it: https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/ */
export function dashboardOf({ uid, title, variables = {}, rows }: Board): object {
  return {
    uid,
    title,
    tags: ['conversations'],
    schemaVersion: SCHEMA_VERSION,
    editable: false,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    graphTooltip: 1,
    links: [
      {
        type: 'dashboards',
        tags: ['conversations'],
        title: 'Dashboards',
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
        ...Object.entries({ instance: 'ai_build_info', ...variables }).map(variable),
      ],
    },
    panels: panelsOf(rows),
  };
}

function variable([name, series]: [string, string]): object {
  return {
    name,
    label: name,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: `label_values(${series}, ${name})`, refId: name },
    multi: true,
    includeAll: true,
    current: { text: 'All', value: '$__all' },
    // With each change of the time that is shown.
    refresh: 2,
    sort: 1,
  };
}

/** From the left to the right, and a new line where one is full. */
function panelsOf(rows: Board['rows']): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const [title, members] of Object.entries(rows)) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of members) {
      const { w, h } = SIZES[panel.type ?? 'timeseries'];
      if (x + w > COLUMNS) {
        x = 0;
        y += height;
        height = 0;
      }
      panels.push({ id: panels.length + 1, ...panelOf(panel), gridPos: { x, y, w, h } });
      x += w;
      height = Math.max(height, h);
    }
    y += height;
  }
  return panels;
}

function panelOf(panel: Panel): object {
  const { title, description, type = 'timeseries', queries, exemplars } = panel;
  return {
    type,
    title,
    description,
    datasource: DATASOURCE,
    fieldConfig: { defaults: fieldsOf(panel), overrides: [] },
    options: optionsOf(type),
    targets: Object.entries(queries).map(([legendFormat, expr], index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      ...(type === 'stat' ? { instant: true } : {}),
      ...(exemplars ? { exemplar: true } : {}),
    })),
  };
}

function fieldsOf({ unit, type, warnAt, badAt, words, stacked }: Panel): object {
  const limits = [warnAt, badAt].flatMap((value, index) =>
    value === undefined ? [] : [{ color: COLOURS[index + 1], value }],
  );
  const steps = [{ color: 'green', value: null }, ...limits];
  const graph = {
    fillOpacity: stacked ? 40 : 8,
    // A series that has only now begun is a point.
    showPoints: 'auto',
    spanNulls: false,
    ...(stacked ? { stacking: { mode: 'normal', group: 'A' } } : {}),
    ...(limits.length > 0 ? { thresholdsStyle: { mode: 'line' } } : {}),
  };
  return {
    unit,
    ...(unit === 'percentunit' ? { min: 0 } : {}),
    ...(limits.length > 0 || words ? { thresholds: { mode: 'absolute', steps } } : {}),
    ...(type === undefined || type === 'timeseries' ? { custom: graph } : {}),
    ...(words ? { mappings: [{ type: 'value', options: Object.fromEntries(words.map(wordOf)) }] } : {}),
  };
}

function wordOf(text: string, value: number): [string, object] {
  return [String(value), { text, color: COLOURS[value], index: value }];
}

function optionsOf(type: NonNullable<Panel['type']>): object {
  if (type === 'stat') {
    return {
      colorMode: 'background',
      graphMode: 'none',
      textMode: 'auto',
      reduceOptions: { calcs: ['lastNotNull'] },
    };
  }
  const legend = { displayMode: 'list', placement: 'bottom', showLegend: true };
  if (type === 'state-timeline') return { mergeValues: true, showValue: 'auto', legend };
  return { legend, tooltip: { mode: 'multi', sort: 'desc' } };
}
