/** Whose a conversation is. */
export interface Owner {
  tenant: string;
  /** The name of the API key that made it. */
  key: string | undefined;
}

/** PORT: who runs which conversation. */
export interface Runner {
  /**
   * Keeps a place for a conversation that is about to be made, if one is free. Undefined where it will have
   * to wait.
   */
  reserve(owner: Owner): Place | undefined;
  /**
   * Has a conversation run until it ends or pauses: at once in its place, or else when there is one. Starting it twice is
   * starting it once.
   */
  start(conversationId: string, owner: Owner, place?: Place): void;
  /**
   * Has a conversation go on whose log was written to from outside: by whoever runs it, also where that run is
   * just ending, or by a new run. Nothing is lost where it is called twice, or in vain.
   */
  wake(conversationId: string, owner: Owner): void;
  /**
   * Goes on with what has not ended, also where nobody starts it any more: a process may die between making a
   * conversation and starting it. Gives how many there are.
   */
  resume(): Promise<number>;
  /** How many run at this moment in this process. */
  active(): number;
  /** How many wait and run, where all instances share a queue on all of them; `delayed` wait for another try. */
  depth(): Promise<{ waiting: number; active: number; delayed: number }>;
  /**
   * Begins no more conversations and no more turns. The calls under way have a grace to end, so that what was
   * paid for is kept; then they are broken off. What is started from now on is left to others, or to the next start.
   */
  leave(): void;
  /** Leaves, too; fulfilled when all is quiet. To be called when nothing more will be started. */
  drain(): Promise<void>;
}

/** A place that is kept until it is used by a start or given back; giving back what was used does nothing. */
export interface Place {
  release(): void;
}
