/** What a Prometheus would have asked of the pods at one moment. */
export interface Sample {
  /** Seconds from the beginning. */
  at: number;
  /** How many pods were asked for at that moment. */
  replicas: number;
  /** How many conversations ran or waited on all of them. */
  alive: number;
  /** By pod, for each that answered: conversations of all, as BullMQ has them, and those that this one ran. */
  pods: Record<string, { waiting: number; active: number; running: number }>;
}

/** A load of real instances, at a tenth of the numbers, and a tenth of the time. */
export interface Recording {
  about: string;
  /** Between two samples, in seconds. */
  every: number;
  samples: Sample[];
}
