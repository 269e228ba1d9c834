import { existsSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../fixtures/server.ts';
import type { Manifest } from './helm.ts';
import type { PodSpec, SecretSource, Volume } from './pods.ts';

/** What a Secret has; what is changed in it is what pods get from then on. */
export function secretOf(manifests: readonly Manifest[], name: string): Record<string, string> {
  const secret = manifests.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === name);
  if (!secret) throw new Error(`there is no Secret ${name}`);
  return secret['stringData'] as Record<string, string>;
}

/** Folders here in the place of what is mounted in a pod. */
export class Mounts {
  /** By the path in the container. */
  readonly folders: ReadonlyMap<string, string>;
  readonly #manifests: readonly Manifest[];
  readonly #ofSecrets: { folder: string; volume: Volume }[] = [];

  /** @param dataFolder what is mounted at /data; everything else begins empty, or with its Secrets */
  constructor(manifests: readonly Manifest[], { containers, volumes = [] }: PodSpec, dataFolder: string) {
    this.#manifests = manifests;
    const root = temporaryFolder();
    this.folders = new Map(
      (containers[0].volumeMounts ?? []).map(({ name, mountPath }) => {
        if (mountPath === '/data') return [mountPath, dataFolder];
        const folder = mkdtempSync(join(root, `${name}-`));
        const volume = volumes.find((each) => each.name === name);
        if (volume) this.#ofSecrets.push({ folder, volume });
        return [mountPath, folder];
      }),
    );
    this.update();
  }

  /** Has the folders show what the Secrets have now, in the way of the kubelet: by one link that is put in place. */
  update(): void {
    for (const { folder, volume } of this.#ofSecrets) {
      const files = this.#filesOf(volume);
      if (files.length === 0) continue;
      const written = mkdtempSync(join(folder, '..written-'));
      for (const [path, text] of files) writeFileSync(join(written, path), text);
      symlinkSync(written, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
      for (const [path] of files) {
        const link = join(folder, path);
        if (!existsSync(link)) symlinkSync(join('..data', path), link);
      }
    }
  }

  #filesOf({ secret, projected }: Volume): [path: string, text: string][] {
    const filesIn = (name: string, { items }: SecretSource): [string, string][] => {
      const data = secretOf(this.#manifests, name);
      return (items ?? Object.keys(data).map((key) => ({ key, path: key }))).map(({ key, path }) => {
        const text = data[key];
        // A pod with such a volume would wait for ever.
        if (text === undefined) throw new Error(`the Secret ${name} has no ${key}`);
        return [path, text];
      });
    };
    return [
      ...(secret ? filesIn(secret.secretName, secret) : []),
      ...(projected?.sources ?? []).flatMap((source) => filesIn(source.secret.name, source.secret)),
    ];
  }
}
