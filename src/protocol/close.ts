/** Why the server closes a WebSocket; docs/protocol.md, section 4.4. It imports nothing, for the client has it too. */
export const CLOSE = {
  ended: { code: 1000, reason: 'conversation ended' },
  shutdown: { code: 1001, reason: 'server is going away; come back with your cursor' },
  failed: { code: 1011, reason: 'internal error; come back with your cursor' },
  unauthorized: { code: 4401, reason: 'the key is no longer in force' },
  rewritten: { code: 4410, reason: 'events were lost that you have had; come back without a cursor' },
  tooSlow: { code: 4429, reason: 'reader too slow; come back with your cursor' },
} as const;
