import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { freePort } from '../fixtures/ports.ts';
import { type ServerProcess, startServer, temporaryFolder } from '../fixtures/server.ts';
import type { Manifest } from './helm.ts';
import { Mounts, secretOf } from './mounts.ts';
import { type Container, type PodSpec, type Probe, workloadOf } from './pods.ts';

/** So long it takes until all that send to a pod know that it leaves, in milliseconds; less than the chart allows for. */
const PROPAGATION_MS = 2500;

/** What sends requests to pods, and is told which there are. */
export interface Entrance {
  add(port: number): Promise<void>;
  remove(port: number): Promise<void>;
}

/** How a pod came to its end. */
export interface Leaving {
  code: number | null;
  /** From being told to leave until it was gone, and from the signal on, in milliseconds. */
  tookMs: number;
  behindSignalMs: number;
  /** Whether the grace was over first. */
  killed: boolean;
}

/** A pod of the chart, played by a process: its variables, files, probes, and the order in which it leaves. */
export class Pod {
  readonly server: ServerProcess;
  /** How often in a row each probe failed, at most. */
  readonly failures = { livenessProbe: 0, readinessProbe: 0 };
  /** What the kubelet mounted; it keeps Secrets there as they are. */
  readonly mounts: Mounts;
  readonly #spec: PodSpec;
  readonly #stopped = new AbortController();

  private constructor(server: ServerProcess, spec: PodSpec, mounts: Mounts) {
    this.server = server;
    this.mounts = mounts;
    this.#spec = spec;
    onTestFinished(() => this.#stopped.abort());
  }

  /**
   * Starts it and waits until its probes say that it is ready.
   *
   * @param dataFolder what is mounted at /data; what has no volume of its own begins empty
   */
  static async start(manifests: readonly Manifest[], dataFolder = temporaryFolder()): Promise<Pod> {
    const spec = workloadOf(manifests).spec.template.spec;
    const [container] = spec.containers;
    const mounts = new Mounts(manifests, spec, dataFolder);
    const environment = environmentOf(manifests, container);
    for (const [name, value] of Object.entries(environment)) {
      for (const [mount, folder] of mounts.folders) {
        if (value === mount || value.startsWith(`${mount}/`))
          environment[name] = folder + value.slice(mount.length);
      }
    }
    const server = await startServer({
      ...environment,
      // The tests listen on the loopback address alone; each pod has a port in place of an address of its own.
      HOST: '127.0.0.1',
      PORT: String(await freePort()),
      // What the tests set for servers, and the chart doesn't.
      RETRY_TRIES: environment['RETRY_TRIES'] ?? '',
      EMBEDDED_TOKEN_DELAY_MS: environment['EMBEDDED_TOKEN_DELAY_MS'] ?? '',
    });
    const pod = new Pod(server, spec, mounts);
    const { startupProbe, livenessProbe, readinessProbe } = container;
    if (!startupProbe || !livenessProbe || !readinessProbe) throw new Error('a probe is missing');
    while (!(await pod.#asks(startupProbe))) await delay(startupProbe.periodSeconds * 1000);
    while (!(await pod.#asks(readinessProbe))) await delay(readinessProbe.periodSeconds * 1000);
    void pod.#keepAsking('livenessProbe', livenessProbe);
    void pod.#keepAsking('readinessProbe', readinessProbe);
    return pod;
  }

  /** What the kubelet and the endpoints' controller do with a pod that is deleted, evicted or drained. */
  async leave(...entrances: Entrance[]): Promise<Leaving> {
    const { containers, terminationGracePeriodSeconds = 30 } = this.#spec;
    const began = performance.now();
    this.#stopped.abort();
    const exited = new Promise<number | null>((resolve) => this.server.process.once('exit', resolve));
    const propagated = delay(PROPAGATION_MS).then(() =>
      Promise.all(entrances.map((entrance) => entrance.remove(this.server.port))),
    );
    await delay((containers[0].lifecycle?.preStop?.sleep.seconds ?? 0) * 1000);
    const signalled = performance.now();
    this.server.process.kill('SIGTERM');
    let killed = false;
    const timer = setTimeout(
      () => {
        killed = true;
        this.server.process.kill('SIGKILL');
      },
      terminationGracePeriodSeconds * 1000 - (signalled - began),
    );
    const code = await exited;
    clearTimeout(timer);
    const now = performance.now();
    await propagated;
    return { code, tookMs: now - began, behindSignalMs: now - signalled, killed };
  }

  async #asks({ httpGet, timeoutSeconds }: Probe): Promise<boolean> {
    const answer = await fetch(`${this.server.url}${httpGet.path}`, {
      signal: AbortSignal.any([AbortSignal.timeout(timeoutSeconds * 1000), this.#stopped.signal]),
    }).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.ok ?? false;
  }

  async #keepAsking(name: keyof Pod['failures'], probe: Probe): Promise<void> {
    for (let inARow = 0; !this.#stopped.signal.aborted; ) {
      const isWell = await this.#asks(probe);
      if (this.#stopped.signal.aborted) return;
      inARow = isWell ? 0 : inARow + 1;
      this.failures[name] = Math.max(this.failures[name], inARow);
      await delay(probe.periodSeconds * 1000, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }
}

/** A container's variables as the kubelet makes them: whole Secrets and ConfigMaps first, then each by itself. */
function environmentOf(
  manifests: readonly Manifest[],
  { env = [], envFrom = [] }: Container,
): Record<string, string> {
  const result: Record<string, string> = {};
  for (const { configMapRef, secretRef } of envFrom) {
    const map = manifests.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef?.name,
    );
    Object.assign(result, map?.['data'], secretRef && secretOf(manifests, secretRef.name));
  }
  const own: Record<string, string> = { 'metadata.name': 'aic-0', 'status.podIP': '127.0.0.1' };
  for (const { name, value, valueFrom } of env) {
    const { secretKeyRef, fieldRef } = valueFrom ?? {};
    const given = secretKeyRef
      ? secretOf(manifests, secretKeyRef.name)[secretKeyRef.key]
      : (value ?? own[fieldRef?.fieldPath ?? '']);
    if (given === undefined) throw new Error(`${name} has no value`);
    result[name] = given.replaceAll(/\$\((\w+)\)/g, (whole, other: string) => result[other] ?? whole);
  }
  return result;
}
