import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { NOBODY } from '../fixtures/balancer.ts';
import { call } from '../fixtures/http.ts';
import { freePort } from '../fixtures/ports.ts';
import { findProgram } from '../fixtures/programs.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { type Manifest, theOne } from './helm.ts';
import type { Entrance } from './pod.ts';

const PREFIX = 'nginx.ingress.kubernetes.io/';
/** What ingress-nginx makes of each annotation of the chart's; its numbers of these are seconds. */
const DIRECTIVES: Record<string, (value: string) => string> = {
  'proxy-read-timeout': (seconds) => `proxy_read_timeout ${seconds}s`,
  'proxy-send-timeout': (seconds) => `proxy_send_timeout ${seconds}s`,
  'proxy-connect-timeout': (seconds) => `proxy_connect_timeout ${seconds}s`,
  'proxy-buffering': (value) => `proxy_buffering ${value}`,
  'proxy-body-size': (size) => `client_max_body_size ${size}`,
  'proxy-next-upstream': (cases) => `proxy_next_upstream ${cases}`,
  'proxy-next-upstream-tries': (tries) => `proxy_next_upstream_tries ${tries}`,
};

/**
 * nginx as ingress-nginx sets it up for the chart's Ingress: its host, its annotations, and the pods' own addresses
 * without the Service between. That controller changes pods within its workers; here nginx takes them from its file anew.
 */
export class Ingress implements Entrance {
  readonly url: string;
  readonly #directives: string[];
  readonly #host: string;
  readonly #folder = temporaryFolder();
  readonly #port: number;
  readonly #ports = new Set<number>();
  #generation = 0;
  #reload = (): void => {};
  #changing: Promise<void> = Promise.resolve();

  private constructor(manifests: readonly Manifest[], port: number) {
    const { metadata, spec } = theOne(manifests, 'Ingress');
    this.#directives = Object.entries(metadata.annotations ?? {}).map(([name, value]) => {
      const directive = name.startsWith(PREFIX) && DIRECTIVES[name.slice(PREFIX.length)];
      if (!directive) throw new Error(`nobody knows what ${name} does`);
      return directive(value);
    });
    const { rules } = spec as { rules: { host: string }[] };
    this.#host = rules[0]?.host ?? '';
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(manifests: readonly Manifest[]): Promise<Ingress> {
    const ingress = new Ingress(manifests, await freePort());
    await ingress.#start();
    return ingress;
  }

  add(port: number): Promise<void> {
    this.#ports.add(port);
    return this.#change();
  }

  remove(port: number): Promise<void> {
    this.#ports.delete(port);
    return this.#change();
  }

  async #start(): Promise<void> {
    this.#write();
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(this.#folder, NOBODY, NOBODY);
    chmodSync(this.#folder, 0o755);
    const child = spawn(
      findProgram('nginx') ?? 'nginx',
      ['-e', 'stderr', '-c', join(this.#folder, 'nginx.conf'), '-g', 'daemon off;'],
      { stdio: ['ignore', 'ignore', 'pipe'], ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}) },
    );
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const exited = once(child, 'exit');
    onTestFinished(async () => {
      child.kill('SIGTERM');
      await exited;
    });
    this.#reload = () => void child.kill('SIGHUP');
    await this.#taken(() => {
      if (child.exitCode !== null) throw new Error(`nginx ended:\n${errors}`);
    });
  }

  #change(): Promise<void> {
    const before = this.#changing;
    const change = async (): Promise<void> => {
      await before;
      this.#generation++;
      this.#write();
      this.#reload();
      await this.#taken();
    };
    this.#changing = change();
    return this.#changing;
  }

  /** Fulfilled when new connections are served by what was written last. */
  async #taken(check = (): void => {}): Promise<void> {
    for (let text = ''; text !== String(this.#generation); ) {
      check();
      text = await call(this.url, '/', { headers: { host: 'nobody', connection: 'close' } }).then(
        (answer) => answer.text,
        () => '',
      );
    }
  }

  #write(): void {
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${this.#folder}/${name};`,
    );
    // Without a pod nobody answers there. Which of them doesn't answer is tried anew each time, as in the controller.
    const pods = [...(this.#ports.size > 0 ? this.#ports : [1])].map(
      (port) => `server 127.0.0.1:${port} max_fails=0;`,
    );
    writeFileSync(
      join(this.#folder, 'nginx.conf'),
      `pid ${this.#folder}/nginx.pid;
events {}
http {
  access_log off;
  ${places.join('\n  ')}
  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  upstream pods { ${pods.join(' ')} keepalive 320; }
  server {
    listen 127.0.0.1:${this.#port} default_server;
    return 404 "${this.#generation}";
  }
  server {
    listen 127.0.0.1:${this.#port};
    server_name ${this.#host};
    location / {
      proxy_pass http://pods;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      ${this.#directives.map((directive) => `${directive};`).join('\n      ')}
    }
  }
}
`,
    );
  }
}
