import {
  type Artifact,
  type Message,
  type Part,
  Role,
  type StreamResponse,
  type Task,
  TaskState,
} from '@a2a-js/sdk';
import type { RemoteTask } from '../../conversation/log/events.ts';
import type { Chunk } from '../answer.ts';
import { usageIn } from './usage.ts';

const BETWEEN = '\n\n';
/** No server's own ids are longer; what is can't be kept. */
const LONGEST_ID = 256;

/**
 * What a remote agent's events come to as one reply. Its artifacts are the reply, piece by piece; where there are none
 * it is the message with which the task completed, or else the last one said before. What it says while it works is no
 * part of the reply. A task that asks for input says what it asks for.
 */
export class Reply {
  /** What artifacts had before, by their ids: a task that goes on has those of earlier turns. */
  readonly #artifacts = new Map<string, string>();
  #text = '';
  #said = '';
  #isFirst = true;
  readonly #goesOn: boolean;
  #task: { id: string; contextId: string } | undefined;
  #state = TaskState.TASK_STATE_UNSPECIFIED;

  /** @param before the task as it was, where it goes on with this turn */
  constructor(before: Task | undefined) {
    for (const { artifactId, parts } of before?.artifacts ?? [])
      this.#artifacts.set(artifactId, textOf(parts));
    this.#goesOn = before !== undefined;
  }

  /** The id of the task that is still being worked on, which can be asked for and cancelled. */
  get openTask(): string | undefined {
    return isOver(this.#state) ? undefined : this.#task?.id || undefined;
  }

  /**
   * What one event adds.
   *
   * @throws TaskFailure where the task came to no good end
   */
  *take({ payload }: StreamResponse): Generator<Chunk> {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    switch (payload?.$case) {
      case 'message': {
        this.#state = TaskState.TASK_STATE_COMPLETED;
        const text = this.#next(textOf(payload.value.parts));
        return yield { text, finishReason: 'stop', usage: usageIn(payload.value.metadata) };
      }
      case 'task': {
        const task = payload.value;
        this.#task = { id: task.id, contextId: task.contextId };
        for (const artifact of task.artifacts) yield* this.#artifact(artifact, false);
        const state = task.status?.state ?? TaskState.TASK_STATE_UNSPECIFIED;
        // A stream begins with the task as it was, whose question this turn has answered.
        if (isFirst && this.#goesOn && state === TaskState.TASK_STATE_INPUT_REQUIRED) return;
        const message = task.status?.message ?? (this.#goesOn ? undefined : lastOf(task));
        return yield* this.#status(state, message, task.metadata);
      }
      case 'statusUpdate': {
        const { taskId, contextId, status, metadata } = payload.value;
        this.#task = { id: taskId, contextId };
        return yield* this.#status(
          status?.state ?? TaskState.TASK_STATE_UNSPECIFIED,
          status?.message,
          metadata,
        );
      }
      case 'artifactUpdate': {
        const { taskId, contextId, artifact, append } = payload.value;
        this.#task = { id: taskId, contextId };
        if (artifact) yield* this.#artifact(artifact, append);
        return;
      }
      case undefined:
    }
  }

  *#artifact({ artifactId, parts }: Artifact, isAppended: boolean): Generator<Chunk> {
    const had = this.#artifacts.get(artifactId);
    const given = textOf(parts);
    const now = isAppended ? (had ?? '') + given : given;
    this.#artifacts.set(artifactId, now);
    // Nothing that was said can be taken back: of a new version only what it adds, else all of it.
    const isMore = had !== undefined && now.startsWith(had);
    const text = isMore ? now.slice(had.length) : this.#next(given);
    this.#text += text;
    if (text !== '') yield { text };
  }

  *#status(state: TaskState, message: Message | undefined, metadata: Task['metadata']): Generator<Chunk> {
    this.#state = state;
    const words = textOf(message?.parts ?? []);
    const usage = usageIn(metadata) ?? usageIn(message?.metadata);
    const task = this.#kept(state);
    switch (state) {
      case TaskState.TASK_STATE_COMPLETED:
        return yield {
          text: this.#text === '' ? words || this.#said : '',
          finishReason: 'stop',
          usage,
          task,
        };
      case TaskState.TASK_STATE_INPUT_REQUIRED:
        return yield { text: this.#next(words || this.#said), finishReason: 'stop', usage, task };
      case TaskState.TASK_STATE_FAILED:
      case TaskState.TASK_STATE_CANCELED:
      case TaskState.TASK_STATE_REJECTED:
      case TaskState.TASK_STATE_AUTH_REQUIRED:
        throw new TaskFailure(state, words);
      default:
        this.#said = words || this.#said;
        // That it works says that it is there.
        yield { thought: words || 'working', usage };
    }
  }

  /** Behind what was said before, if anything was. */
  #next(text: string): string {
    return this.#text === '' || text === '' ? text : `${BETWEEN}${text}`;
  }

  #kept(state: TaskState): RemoteTask | undefined {
    const { id = '', contextId = '' } = this.#task ?? {};
    if (id === '' || id.length > LONGEST_ID || contextId.length > LONGEST_ID) return undefined;
    return {
      id,
      contextId,
      state: state === TaskState.TASK_STATE_INPUT_REQUIRED ? 'input_required' : 'completed',
    };
  }
}

/** A task that came to no good end, with the agent's own words about it. */
export class TaskFailure extends Error {
  override readonly name = 'TaskFailure';
  readonly state: TaskState;

  constructor(state: TaskState, words: string) {
    super(words);
    this.state = state;
  }
}

const OVER: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
  TaskState.TASK_STATE_INPUT_REQUIRED,
  TaskState.TASK_STATE_AUTH_REQUIRED,
]);

/** Nothing more comes of it by itself. */
function isOver(state: TaskState): boolean {
  return OVER.has(state);
}

/** What the agent said last, where the status doesn't say it. */
function lastOf({ history }: Task): Message | undefined {
  return history.findLast(({ role }) => role === Role.ROLE_AGENT);
}

/** Texts as they are, structured data as JSON, of files their names or addresses. */
function textOf(parts: readonly Part[]): string {
  return parts
    .map(({ content, filename, mediaType }) => {
      switch (content?.$case) {
        case 'text':
        case 'url':
          return content.value;
        case 'data':
          return JSON.stringify(content.value) ?? '';
        case 'raw':
          return `[${[filename || 'a file', mediaType].filter(Boolean).join(', ')}]`;
        default:
          return '';
      }
    })
    .join('\n');
}
