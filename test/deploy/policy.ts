import type { Manifest } from './helm.ts';

/** What is wrong with objects, a line each; nothing, where all is as it should be. */
export type Policy = (manifests: readonly Manifest[]) => string[];

export const ofKind = (manifests: readonly Manifest[], ...kinds: string[]): Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind));

export const specOf = <Spec extends object>(manifest: Manifest | undefined, spec: Spec): Spec => ({
  ...spec,
  ...(manifest?.['spec'] as Partial<Spec> | undefined),
});

/** Lines for all that doesn't hold. */
export const failing = (checks: Record<string, boolean>): string[] =>
  Object.entries(checks).flatMap(([what, holds]) => (holds ? [] : [what]));
