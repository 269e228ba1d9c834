import { OTHER } from './metric-names.ts';

/** What a provider and a model are counted under. */
export type ModelLabels = (provider: string, model: string) => { provider: string; model: string };

/**
 * Names of models come from users, and labels must not: a model that the server doesn't know by name is counted
 * as `other`, and a dated version under the name that it is a version of, as in the table of prices.
 *
 * @param known pairs of provider and model
 */
export function modelLabels(known: Iterable<readonly [provider: string, model: string]>): ModelLabels {
  const models = new Map<string, Map<string, string>>();
  for (const [provider, model] of known) {
    const names = models.get(provider) ?? new Map<string, string>();
    if (model !== '') names.set(model, model);
    models.set(provider, names);
  }
  return (provider, model) => {
    const names = models.get(provider);
    if (!names) return { provider: OTHER, model: OTHER };
    const exact = names.get(model);
    if (exact !== undefined) return { provider, model: exact };
    let longest = '';
    for (const name of names.keys()) {
      if (name.length > longest.length && model.startsWith(`${name}-`)) longest = name;
    }
    return { provider, model: longest === '' ? OTHER : longest };
  };
}
