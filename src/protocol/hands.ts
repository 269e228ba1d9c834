import { z } from 'zod';
import { creationRequest } from './creation.ts';
import { line, text } from './text.ts';

/** What people do to conversations; docs/protocol.md, section 10. */

const detail = text(2000).optional();
const yesOrNo = z.boolean({ error: 'takes true or false' }).optional();

function seq(what: string) {
  const error = `takes the seq of ${what}`;
  return z.number({ error }).int({ error, abort: true }).min(1, { error });
}

/** The body of POST /conversations/{id}/pause; it may be left out. */
export const pauseRequest = z.strictObject({ detail, now: yesOrNo }).optional();

/** The body of POST /conversations/{id}/resume, which says nothing. */
export const resumeRequest = z.strictObject({}).optional();

/** The body of POST /conversations/{id}/messages. */
export function sayRequest(maxMessageLength: number) {
  return z.strictObject({
    content: text(maxMessageLength),
    sender: line(64).optional(),
    role: z.enum(['human', 'moderator'], 'takes human or moderator').optional(),
    visibleTo: z
      .array(line(64), { error: 'takes names of agents' })
      .min(1, 'takes at least one name; leave it out for all')
      .max(16, 'takes at most 16 names')
      .optional(),
    interrupt: yesOrNo,
  });
}

/** The body of POST /conversations/{id}/next. */
export const nextRequest = z.strictObject({ agent: line(64) });

/** The body of POST /conversations/{id}/retract. */
export const retractRequest = z.strictObject({ seq: seq('a message'), detail });

/** The body of POST /conversations/{id}/approval. */
export function approvalRequest(maxMessageLength: number) {
  return z.strictObject({
    decision: z.enum(['approve', 'edit', 'reject'], 'takes approve, edit or reject'),
    content: text(maxMessageLength).optional(),
    detail,
    seq: seq('the proposal').optional(),
  });
}

/** The body of POST /conversations/{id}/fork; it may be left out. */
export function forkRequest(maxMessageLength: number) {
  return creationRequest(maxMessageLength)
    .omit({ openingMessage: true })
    .partial()
    .extend({ atSeq: seq('a message').optional() })
    .strict()
    .optional();
}

export type PauseRequest = NonNullable<z.infer<typeof pauseRequest>>;
export type SayRequest = z.infer<ReturnType<typeof sayRequest>>;
export type RetractRequest = z.infer<typeof retractRequest>;
export type ApprovalRequest = z.infer<ReturnType<typeof approvalRequest>>;
export type ForkRequest = NonNullable<z.infer<ReturnType<typeof forkRequest>>>;
