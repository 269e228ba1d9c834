import type { Board } from '../dashboard.ts';
import { of, perSecond, quantile, sum } from '../queries.ts';

export const storage: Board = {
  uid: 'storage',
  title: 'Conversations: Redis, BullMQ and SQLite',
  rows: {
    'The log': [
      {
        title: 'Time of an append',
        description: 'Until it is durable: about one fsync. p99 above 0.25 s: SlowAppends in the runbook.',
        unit: 's',
        warnAt: 0.25,
        queries: {
          '{{backend}} p50': quantile(0.5, 'ai_append_seconds', 'backend'),
          '{{backend}} p99': quantile(0.99, 'ai_append_seconds', 'backend'),
        },
      },
      {
        title: 'Appends',
        description: 'One for each turn, each creation and each end.',
        unit: 'ops',
        queries: { '{{backend}}': perSecond('ai_append_seconds_count', 'backend') },
      },
      {
        title: 'Refused for good',
        description:
          'Anything but 0: rights were taken away, or a file is damaged. The conversations end with storage_error; see the line conversation.run_failed.',
        unit: 'ops',
        queries: { '{{backend}}': perSecond('ai_storage_refusals_total', 'backend') },
      },
      {
        title: 'Storage is there',
        description:
          'no: this instance has neither its file nor an answer of Redis. StorageAway in the runbook.',
        unit: 'none',
        type: 'state-timeline',
        words: ['yes', 'no'],
        queries: { '{{instance}}': '1 - instance:ai_storage:there' },
      },
    ],
    'BullMQ, with REDIS_URL': [
      {
        title: 'Conversations of all instances, by state',
        description:
          'waiting that grows: add an instance. Each instance says the same, so that this is the greatest.',
        unit: 'short',
        queries: { '{{state}}': `max by (state) (${of('ai_queue_jobs')})` },
      },
      {
        title: 'Circuits and rate limits are shared',
        description: 'no: Redis does not answer this instance. ProtectionNotShared in the runbook.',
        unit: 'none',
        type: 'state-timeline',
        words: ['yes', 'no'],
        queries: { '{{instance}} {{kind}}': `1 - ${of('ai_protection_shared')}` },
      },
      {
        title: 'Conversations that run, by instance',
        description: 'One far below the others is new, or loses its locks: see its event loop.',
        unit: 'short',
        stacked: true,
        queries: { '{{instance}}': sum(of('ai_conversations', 'status="running"'), 'instance') },
      },
      {
        title: 'Gone on in the middle',
        description:
          'After a restart, a failover or an error of the storage. Without either, look for run_failed in the log.',
        unit: 'ops',
        queries: { '{{instance}}': perSecond('ai_conversations_resumed_total', 'instance') },
      },
    ],
    'SQLite, without REDIS_URL': [
      {
        title: 'Size of the files',
        description:
          'Deleted conversations leave room in the file. A wal that grows: WalGrowing in the runbook.',
        unit: 'bytes',
        queries: { '{{instance}} {{file}}': sum(of('ai_sqlite_file_bytes'), 'instance, file') },
      },
    ],
  },
};
