/** The client of the platform, for Node and browsers; it needs no other package. */
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { Download, ExportFormat } from './download.ts';
export { ConnectionError, ProblemError } from './failures.ts';
export type { KeyedOptions, RequestOptions } from './options.ts';
export type { StreamOptions } from './stream.ts';
export { applyFrame, EMPTY_TRANSCRIPT, type Transcript } from './transcript.ts';
export type * from './types.ts';
