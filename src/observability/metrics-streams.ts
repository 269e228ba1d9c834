import type { MetricRegistry } from './metrics-registry.ts';

export type Transport = 'websocket' | 'sse';

/** What the streams of one transport have come to. Plain numbers, because every frame to every reader counts. */
export interface StreamTally {
  open: number;
  sent: number;
  /** Frames for connections that were ending. */
  droppedClosed: number;
  /** Frames for readers who had left too much unread. */
  droppedTooSlow: number;
  resumes: number;
  slowCloses: number;
}

export type StreamTallies = Readonly<Record<Transport, StreamTally>>;

export function newStreamTally(): StreamTally {
  return { open: 0, sent: 0, droppedClosed: 0, droppedTooSlow: 0, resumes: 0, slowCloses: 0 };
}

/** Tallies that are read whenever the metrics are. */
export function streamTallies(registry: MetricRegistry): StreamTallies {
  const tallies = { websocket: newStreamTally(), sse: newStreamTally() };
  const entries = Object.entries(tallies).map(([transport, tally]) => ({ labels: { transport }, tally }));
  const count = (
    key: 'streamFramesSent' | 'streamResumes' | 'streamSlowCloses',
    field: 'sent' | 'resumes' | 'slowCloses',
  ): void => {
    registry.counter(key, (counter) => {
      counter.reset();
      for (const { labels, tally } of entries) counter.inc(labels, tally[field]);
    });
  };
  registry.gauge('streamClients', (gauge) => {
    for (const { labels, tally } of entries) gauge.set(labels, tally.open);
  });
  count('streamFramesSent', 'sent');
  count('streamResumes', 'resumes');
  count('streamSlowCloses', 'slowCloses');
  registry.counter('streamFramesDropped', (counter) => {
    counter.reset();
    for (const { labels, tally } of entries) {
      counter.inc({ ...labels, reason: 'closed' }, tally.droppedClosed);
      counter.inc({ ...labels, reason: 'too_slow' }, tally.droppedTooSlow);
    }
  });
  return tallies;
}
