import type { Client } from '../client/client.ts';
import type { Ending, StreamFrame } from '../client/types.ts';
import { say, write, writeJson } from './output.ts';
import { Printer } from './printer.ts';
import { openStatusLine, Progress } from './progress.ts';
import { summary } from './summary.ts';
import { Tally } from './tally.ts';
import { hasColours } from './terminal.ts';

export interface FollowOptions {
  json: boolean;
  after?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Shows a conversation as it is spoken, to its end: its words on standard output, all else on standard error; with
 * `json` its durable frames.
 *
 * @returns why it ended; null where it was left before
 */
export async function follow(
  client: Client,
  id: string,
  environment: NodeJS.ProcessEnv,
  { json, after, signal }: FollowOptions,
): Promise<Ending | null> {
  const frames = client.watch(id, { after, signal });
  return json ? followJson(frames) : followText(frames, environment, after === undefined);
}

async function followJson(frames: AsyncIterable<StreamFrame>): Promise<Ending | null> {
  let ending: Ending | null = null;
  for await (const frame of frames) {
    if ('seq' in frame) await writeJson(frame);
    if (frame.type === 'conversation.terminated') ending = frame;
  }
  return ending;
}

async function followText(
  frames: AsyncIterable<StreamFrame>,
  environment: NodeJS.ProcessEnv,
  isWhole: boolean,
): Promise<Ending | null> {
  const printer = new Printer({
    said: hasColours(process.stdout, environment),
    aside: hasColours(process.stderr, environment),
  });
  const tally = new Tally();
  const progress = new Progress(await openStatusLine(environment), tally);
  const redraw = (): void => progress.redraw();
  process.stdout.on('resize', redraw);
  try {
    for await (const frame of frames) {
      tally.take(frame);
      progress.take(frame);
      const { said, aside } = printer.print(frame);
      await write(said);
      if (aside !== '') process.stderr.write(aside);
      progress.show(frame);
    }
  } finally {
    process.stdout.off('resize', redraw);
    progress.stop();
    await write(printer.endLine());
  }
  const { ended } = printer.transcript;
  // Of one that is watched from its middle the sums would be those of a part.
  if (ended)
    say(`\n${isWhole ? summary(ended, tally).trimEnd() : `Ended: ${ended.reason}, by ${ended.by}.`}`);
  return ended;
}
