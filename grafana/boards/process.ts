import type { Board } from '../dashboard.ts';
import { of, perSecond, sum } from '../queries.ts';

export const process: Board = {
  uid: 'process',
  title: 'Conversations: the process',
  rows: {
    'The process': [
      {
        title: 'Versions',
        description: 'More than one during a roll-out alone.',
        unit: 'none',
        type: 'stat',
        queries: { '{{version}}, Node {{node}}': `count by (version, node) (${of('ai_build_info')})` },
      },
      {
        title: 'Runs since',
        description: 'Short although nobody restarted it: InstanceRestarts in the runbook.',
        unit: 's',
        type: 'stat',
        queries: { '{{instance}}': `time() - ${of('process_start_time_seconds')}` },
      },
      {
        title: 'Open files',
        description: 'Of those allowed. Each stream and each call of a vendor is one: raise `ulimit -n`.',
        unit: 'percentunit',
        type: 'stat',
        warnAt: 0.7,
        badAt: 0.9,
        queries: { '{{instance}}': `${of('process_open_fds')} / ${of('process_max_fds')}` },
      },
      {
        title: 'Delay of the event loop',
        description:
          'Above 0.2 s all conversations of the instance stutter: EventLoopBlocked in the runbook.',
        unit: 's',
        warnAt: 0.2,
        queries: {
          '{{instance}} mean': of('nodejs_eventloop_lag_mean_seconds'),
          '{{instance}} p99': of('nodejs_eventloop_lag_p99_seconds'),
          '{{instance}} greatest': of('nodejs_eventloop_lag_max_seconds'),
        },
      },
      {
        title: 'CPU',
        description: 'Of one core, and one core is all that it uses: near 100 % another instance is needed.',
        unit: 'percentunit',
        warnAt: 0.8,
        queries: { '{{instance}}': perSecond('process_cpu_seconds_total', 'instance') },
      },
      {
        title: 'Memory',
        description:
          'About 50 kB for each conversation that runs. Keep it below the limit of the container: MemoryHigh in the runbook.',
        unit: 'bytes',
        warnAt: 900e6,
        queries: {
          '{{instance}} resident': of('process_resident_memory_bytes'),
          '{{instance}} heap': of('nodejs_heap_size_used_bytes'),
          '{{instance}} external': of('nodejs_external_memory_bytes'),
        },
      },
      {
        title: 'Time in garbage collection',
        description: 'Of one core. Much of `major`: the heap is nearly full.',
        unit: 'percentunit',
        queries: { '{{instance}} {{kind}}': perSecond('nodejs_gc_duration_seconds_sum', 'instance, kind') },
      },
      {
        title: 'What keeps the process busy',
        description: 'Sockets, timers and requests of Node. What only ever grows is a leak.',
        unit: 'short',
        queries: { '{{type}}': sum(of('nodejs_active_resources'), 'type') },
      },
      {
        title: 'Size of the SQLite files',
        description: 'Of servers without REDIS_URL.',
        unit: 'bytes',
        queries: { '{{instance}} {{file}}': of('ai_sqlite_file_bytes') },
      },
      {
        title: 'Log lines',
        description:
          'error and fatal are faults of our own: ErrorLines in the runbook. docs/logs.md has all lines.',
        unit: 'ops',
        queries: {
          '{{level}}': perSecond('ai_log_lines_total', 'level'),
          lost: perSecond('ai_log_lines_lost_total'),
          'failed writes': perSecond('ai_log_write_errors_total'),
        },
      },
    ],
  },
};
