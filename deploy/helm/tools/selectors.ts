import { parser } from '@prometheus-io/lezer-promql';

/**
 * The same PromQL, with `job="JOB"` added to each selector of series that doesn't say which job it means. What one
 * release records and compares is then its own, whatever else a Prometheus has.
 */
export function ofJob(expression: string, job: string): string {
  let result = '';
  let done = 0;
  parser.parse(expression).iterate({
    enter({ name, node, from, to }) {
      if (node.type.isError) throw new Error(`no PromQL: ${expression}`);
      if (name !== 'VectorSelector') return;
      const matchers = node.getChild('LabelMatchers');
      const text = matchers ? expression.slice(matchers.from + 1, matchers.to - 1).trim() : '';
      const given = text === '' ? [] : [text];
      const own = /(?:^|[\s,])job\s*[=!]/.test(text) ? given : [`job="${job}"`, ...given];
      result += `${expression.slice(done, matchers ? matchers.from : to)}{${own.join(', ')}}`;
      done = matchers ? matchers.to : to;
      void from;
    },
  });
  return result + expression.slice(done);
}
