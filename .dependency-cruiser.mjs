/** Who may import whom: the arrows of docs/architecture.md. */
const only = (from, ...allowed) => ({
  name: `${from}-arrows`,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { path: '^src/', pathNot: [from, ...allowed].map((folder) => `^src/${folder}`) },
});

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: 'src/main\\.ts|src/cli/|src/web/(build|main)\\.tsx?' },
      to: {},
    },
    only('protocol'),
    {
      name: 'protocol-anywhere',
      comment:
        'The protocol runs in a browser, too: of packages it has the schemas alone, and nothing of Node.',
      severity: 'error',
      from: { path: '^src/protocol/' },
      to: { dependencyTypes: ['core', 'npm'], pathNot: 'node_modules/zod' },
    },
    {
      name: 'errors-arrows',
      severity: 'error',
      from: { path: '^src/errors\\.ts' },
      to: { path: '^src/', pathNot: '^src/protocol/' },
    },
    only('conversation', 'errors', 'protocol'),
    {
      name: 'domain-without-io',
      comment: 'The domain has no I/O: nothing of Node, and of packages only the schemas.',
      severity: 'error',
      from: { path: '^src/conversation/' },
      to: { dependencyTypes: ['core', 'npm'], pathNot: 'node_modules/zod' },
    },
    only('config', 'conversation', 'errors', 'security', 'storage/redis/url'),
    only('providers', 'config', 'conversation', 'embedded-pair', 'errors', 'security'),
    only('embedded-pair', 'conversation'),
    only('protection', 'conversation', 'errors', 'protocol', 'storage/redis'),
    only('storage', 'conversation', 'errors', 'protocol', 'live/messages', 'security/secrets', 'slices'),
    only('export', 'conversation', 'protocol', 'slices'),
    only('live', 'conversation', 'errors', 'protocol'),
    only('guards', 'config', 'conversation', 'security'),
    only('knowledge', 'conversation', 'errors', 'protocol', 'storage/redis', 'storage/sqlite/statements'),
    only('runner', 'conversation', 'errors', 'storage/redis/scripts'),
    only('security', 'conversation', 'errors', 'protocol'),
    only('observability', 'conversation', 'errors', 'protocol'),
    only(
      'server',
      'conversation',
      'errors',
      'export',
      'observability',
      'protocol',
      'protection/leases',
      'protection/tickets',
      'runner',
      'security/addresses',
      'security/keyring',
      'slices',
    ),
    only('doors', 'conversation', 'errors', 'observability', 'protocol', 'security', 'server'),
    only('client', 'protocol'),
    {
      name: 'client-types-only',
      comment:
        'The client runs in browsers without any package: of the schemas it takes types, which leave no trace.',
      severity: 'error',
      from: { path: '^src/client/' },
      to: {
        path: '^src/',
        pathNot: ['^src/client/', '^src/protocol/close\\.ts'],
        dependencyTypesNot: ['type-only'],
      },
    },
    only('migration', 'conversation', 'errors', 'storage'),
    // The page is bundled: whatever it takes of Node's or a schema's code would go to every browser.
    only('web', 'client', 'conversation/policies/similarity'),
    // What speaks to a server goes through the client; migration works where no server runs.
    only('cli', 'client', 'doctor/findings', 'migration', 'protocol'),
    only(
      'doctor',
      'backends',
      'config',
      'conversation',
      'errors',
      'live',
      'providers/a2a',
      'security',
      'storage',
    ),
    {
      name: 'one-composer',
      comment: 'Only compose.ts builds parts; only the server and what runs in a command compose.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main|local)\\.ts$' },
      to: { path: '^src/compose\\.ts$' },
    },
    {
      name: 'not-to-dev',
      severity: 'error',
      // The page's packages are in what is built of them.
      from: { path: '^src/', pathNot: '^src/web/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
