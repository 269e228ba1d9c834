import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { ofJob } from './selectors.ts';
import { valuesSchema } from './values.ts';

const CHART = new URL('../', import.meta.url).pathname;
const GRAFANA = new URL('../../../grafana/', import.meta.url).pathname;

/** The job of the project's own rules, in whose place the chart puts the release's. */
const JOB = 'conversations';

/** What of the chart follows from elsewhere, by its path within it. */
export function generatedFiles(): Map<string, string> {
  const dashboards = globSync(`${GRAFANA}dashboards/*.json`).sort();
  return new Map([
    ['values.schema.json', `${JSON.stringify(valuesSchema(), null, 2)}\n`],
    ['README.md', readme(readFileSync(`${CHART}values.yaml`, 'utf8'))],
    ...['recording.yml', 'alerts.yml'].map(
      (name) => [`files/rules/${name}`, rules(readFileSync(`${GRAFANA}rules/${name}`, 'utf8'))] as const,
    ),
    ...dashboards.map((path) => [`files/dashboards/${basename(path)}`, readFileSync(path, 'utf8')] as const),
  ]);
}

/** The project's rules, each of whose selectors names the job. */
function rules(text: string): string {
  const document = parseDocument(text);
  const { groups } = document.toJS() as { groups: { rules: { expr: string }[] }[] };
  for (const [group, { rules: members }] of groups.entries()) {
    for (const [index, { expr }] of members.entries()) {
      document.setIn(['groups', group, 'rules', index, 'expr'], ofJob(expr, JOB));
    }
  }
  return document.toString({ lineWidth: 0 });
}

interface Row {
  path: string;
  value: string;
  what: string;
}

/** Every value that has no further ones in it, with what stands above it in values.yaml. */
export function rowsOf(text: string): Row[] {
  return rowsIn(parseDocument(text).contents as YAMLMap, []);
}

function rowsIn(map: YAMLMap, above: readonly string[]): Row[] {
  return map.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error('a key is no text');
    const path = [...above, String(key.value)];
    // The comment above the first key of a map belongs to the map for the parser.
    const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? '';
    const what = comment.replaceAll(/\n\s*/g, ' ').trim();
    const isFlat = !isMap(value) || value.items.length === 0 || value.flow === true;
    if (!isFlat && !path.join('.').endsWith('annotations') && !path.join('.').endsWith('labels')) {
      const heading = what === '' ? [] : [{ path: path.join('.'), value: '', what }];
      return [...heading, ...rowsIn(value, path)];
    }
    const json = JSON.stringify((value as { toJSON(): unknown }).toJSON());
    return [{ path: path.join('.'), value: json, what }];
  });
}

function readme(text: string): string {
  const rows = rowsOf(text).map(({ path, value, what }) => {
    const shown = value === '' ? '' : `\`${value}\``;
    return `| \`${path}\` | ${shown} | ${what} |`;
  });
  return `# Helm chart

\`\`\`sh
helm install conversations deploy/helm --set redis.url=redis://redis-master:6379
\`\`\`

gives two pods that share a Redis, and keys to come in with; without \`redis.url\`, and with \`replicaCount=1\`, one pod
that keeps its conversations in a file on a volume. [docs/kubernetes.md](../../docs/kubernetes.md) says the rest: scaling,
secrets, meshes, metrics, logs and traces. Values that are misspelt, or that don't go together, are refused with a
sentence that says what to do.

Written by \`npm run chart\` from \`values.yaml\`; a test compares the two.

| value | default | what |
|---|---|---|
${rows.join('\n')}
`;
}
