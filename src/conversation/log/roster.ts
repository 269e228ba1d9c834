/** A provider as the settings see it. */
export interface RosterEntry {
  id: string;
  /** `embedded` names its agents after their model. */
  displayName: (model: string) => string;
  configured: boolean;
  /** Why it is not configured: what to set. */
  hint: string;
  /** In the order in which agents without a model take them; empty where there is no default. */
  defaultModels: readonly string[];
  /** The only models there are; undefined where the vendor decides. */
  models: readonly string[] | undefined;
  /** Needs no key and no network; the pair of last resort. */
  embedded: boolean;
  /** Played by a person, without a model. */
  person?: boolean;
  /** Agents of others, each for something of its own: never taken where nobody names one. */
  remote?: boolean;
}
